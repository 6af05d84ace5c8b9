"""Frozen values and the error tree: what every floor may use."""
