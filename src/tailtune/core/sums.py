"""Sums of amounts that may not be known: an unknown part makes the whole unknown, never smaller."""

from __future__ import annotations

import math
from collections.abc import Iterable


def known_sum(parts: Iterable[float | None]) -> float | None:
    """The sum, 0 of nothing; None when a part is not known."""
    amounts: list[float] = []
    for part in parts:
        if part is None:
            return None
        amounts.append(part)
    return math.fsum(amounts)
