"""Generators of the sample use cases: deterministic, byte-identical on any machine."""
