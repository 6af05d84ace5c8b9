"""How often behaviour must change: what is declared, and what the history of the files shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

OFTEN_DAYS = 30.0
"""Monthly or more often speaks against a fine-tune."""
LEAST_CHANGES = 3
LEAST_SPAN_DAYS = 2 * OFTEN_DAYS


@dataclass(frozen=True)
class Cadence:
    """One per use case.

    Attributes:
        declared_days: Days between two changes of behaviour, as declared; None when nothing is.
        seen_days: The same from the history of prompts, answers file and data; None when it shows too little.
    """

    declared_days: float | None = None
    seen_days: float | None = None

    @property
    def days(self) -> float | None:
        """What counts: the declared cadence, which knows of the future, before the one that was seen."""
        return self.seen_days if self.declared_days is None else self.declared_days

    @property
    def often(self) -> bool:
        """Whether behaviour changes monthly or more often; False when nothing is known."""
        return self.days is not None and self.days <= OFTEN_DAYS

    @property
    def told(self) -> str:
        """Where it is known from, in words; empty when nothing is known."""
        if self.days is None:
            return ""
        source = "seen in the git history" if self.declared_days is None else "declared"
        return f"a change every {self.days:,.0f} days is {source}"


def seen_days(changes: Sequence[float]) -> float | None:
    """Median days between changes.

    Args:
        changes: When files changed, in days since any moment; several within a day are one change.

    Returns:
        None with fewer than 3 changes, or when they lie within 60 days: a young history says how a use case was built,
        not how often it will change.
    """
    days = sorted({int(one) for one in changes})
    if len(days) < LEAST_CHANGES or days[-1] - days[0] < LEAST_SPAN_DAYS:
        return None
    return float(median(later - earlier for earlier, later in pairwise(days)))
