"""The decision page and its charts."""
