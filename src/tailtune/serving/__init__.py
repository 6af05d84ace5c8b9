"""The doors through which other programs call a registered model."""
