"""The gate behind curation: expectations of Great Expectations and of the leakage gate, and their Data Docs."""
