"""Predictors that answer a text with one label of a closed set."""
