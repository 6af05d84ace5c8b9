"""Predictors of the task `extraction`: one JSON object for each text."""
