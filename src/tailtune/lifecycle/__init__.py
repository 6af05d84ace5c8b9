"""The stages of a model's life; `table.py` is their order."""
