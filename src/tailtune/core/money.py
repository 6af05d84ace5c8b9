"""Money: US dollars as a float, or None where an amount is not known. What is unknown stays unknown, never 0."""

from __future__ import annotations

import math
from collections.abc import Iterable

Usd = float
"""US dollars. An amount that may not be known is `Usd | None`."""


def known_sum(parts: Iterable[Usd | None]) -> Usd | None:
    """The sum, 0 of nothing; None when a part is not known."""
    amounts: list[float] = []
    for part in parts:
        if part is None:
            return None
        amounts.append(part)
    return math.fsum(amounts)


def known_product(*factors: float | None) -> float | None:
    """The product; 0 of something costs nothing, whatever its price. None when a factor is not known."""
    if 0 in factors:
        return 0.0
    product = 1.0
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product
