"""Servers that stand in for others, with a will of their own."""
