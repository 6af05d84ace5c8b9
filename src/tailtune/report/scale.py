"""Which stretch of 0 to 100 % a picture shows, so that close rungs can be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tailtune.core.records import Estimate

FAR = 0.45
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Scale:
    """One per picture: the shares at its left and right end."""

    low: float
    high: float

    @classmethod
    def around(cls, estimates: Iterable[Estimate], target: float | None = None) -> Scale:
        """A stretch that holds the intervals and the target.

        Rungs that are 45 points or more under the best (a majority class) do not stretch it; they fall off its left.

        Args:
            estimates: Shares with intervals; NaN is passed over.
            target: A share that must be in view.

        Returns:
            Ends on whole steps of 5 points, or of 1 point where all lies within 10; 0 to 1 when there is nothing.
        """
        measured = [e for e in estimates if not math.isnan(e.value)]
        if not measured:
            return cls(0.0, 1.0)
        best = max(e.value for e in measured)
        near = [e for e in measured if e.value > best - FAR]
        ends = [target] if target is not None else []
        ends += [end for e in near for end in (e.low, e.value, e.high) if not math.isnan(end)]
        step = 0.01 if max(ends) - min(ends) < 0.1 else 0.05
        low = max(math.floor(min(ends) / step + _SLACK) * step, 0.0)
        high = min(math.ceil(max(ends) / step - _SLACK) * step, 1.0)
        return cls(low, high) if high > low else cls(max(low - step, 0.0), min(high + step, 1.0))

    def place(self, value: float) -> float:
        """Where a share lies: 0 at the left end, 1 at the right; outside of that when it is off the picture."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> tuple[float, ...]:
        """Round shares to label, both ends within, at most so many."""
        span = self.high - self.low
        step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if span / s <= most - 1 + _SLACK)
        first = math.ceil(self.low / step - _SLACK)
        return tuple(round(n * step, 4) for n in range(first, math.floor(self.high / step + _SLACK) + 1))
