"""Reports drawn for people: terminal, HTML, figures. Pure functions of the stage reports."""
