"""The task `classification`: one label of a closed set for each text."""
