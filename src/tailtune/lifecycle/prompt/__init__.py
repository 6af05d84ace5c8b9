"""Prompted language models on the dev rows: which rungs are made, what is bought of each, what came of it."""
