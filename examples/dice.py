"""The only source of chance: everything is drawn from `Random.random()`, which Python keeps stable."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Seeded draws that are the same on every machine and Python version.

    Only `Random.random()` is used: its sequence for an integer seed is guaranteed by the standard library,
    while that of `choice`, `shuffle` or `sample` is not.
    """

    def __init__(self, seed: int) -> None:
        """Seeds the dice with an integer."""
        self._random = Random(seed)

    def below(self, stop: int) -> int:
        """Draws an integer in 0..stop-1."""
        return int(self._random.random() * stop)

    def between(self, low: int, high: int) -> int:
        """Draws an integer in low..high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, share: float) -> bool:
        """Is true with probability `share` (0..1)."""
        return self._random.random() < share

    def pick(self, items: Sequence[T]) -> T:
        """Draws one of `items`, all equally likely."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[int]) -> T:
        """Draws one of `items` in proportion to its integer weight.

        Raises:
            ValueError: no weight is above zero.
        """
        point = self.below(sum(weights))
        for item, weight in zip(items, weights, strict=True):
            point -= weight
            if point < 0:
                return item
        raise ValueError("weights must have a positive sum")
