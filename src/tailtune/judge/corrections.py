"""Corrections of p-values when several comparisons are made at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted so that all comparisons together err with the level they are held against.

    The smallest is multiplied by the number of comparisons, the next by one less, and so on; none becomes smaller than
    one that was smaller before. Valid however the comparisons depend on each other.

    Args:
        p: Of each comparison, 0 to 1.

    Returns:
        Adjusted, in the same order, 0 to 1, none smaller than it was.

    Raises:
        ValueError: A value is outside 0 to 1, or NaN.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    if not all(0 <= value <= 1 for value in p):
        raise ValueError(f"p-values are {list(p)}; expected 0 to 1")
    adjusted, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = least
    return adjusted
