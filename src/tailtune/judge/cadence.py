"""How often behaviour must change: what is declared, and what the history of the files shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

SELDOM_DAYS = 365.0
"""A cadence that hardly costs anything, to see whether one that is only seen turned the verdict."""
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
        """What is reckoned with: the declared cadence, which knows of the future, before the one that was seen."""
        return self.seen_days if self.declared_days is None else self.declared_days

    @property
    def often(self) -> bool:
        """Whether behaviour changes monthly or more often; False when nothing is known."""
        return self.days is not None and self.days <= OFTEN_DAYS

    @property
    def binding(self) -> bool:
        """Whether that speaks against a fine-tune: only when it is declared, as the past binds nobody."""
        return self.often and self.declared_days is not None

    @property
    def declaring(self) -> str:
        """What declaring it would bring up, as a sentence; empty when changes are seldom, or declared already."""
        if not self.often or self.binding:
            return ""
        return (
            f"declaring value.change_every_days: git shows a change every {self.days:,.0f} days, and monthly changes "
            "speak against a fine-tune"
        )

    @property
    def seldom(self) -> str:
        """What declaring seldom changes would bring up, as a sentence; empty when one is declared."""
        if self.declared_days is not None or self.seen_days is None:
            return ""
        return (
            f"declaring value.change_every_days: the change every {self.seen_days:,.0f} days that git shows is "
            f"reckoned with, and seldom changes (every {SELDOM_DAYS:,.0f} days) would turn the verdict"
        )


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
