"""TailTune: prove whether a fine-tune is needed before paying for it, then run the model's whole life."""

__version__ = "0.1.0"
