"""Everything that answers rows, behind one protocol; one file per kind."""
