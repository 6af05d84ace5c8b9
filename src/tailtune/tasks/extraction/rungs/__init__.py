"""The cheaper ways to read an object out of a text, one file a kind."""
