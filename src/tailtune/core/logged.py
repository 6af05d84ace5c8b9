"""Counts of what servers answered and logged, for whoever shows or watches them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tailtune.core.money import Usd
from tailtune.core.records import Estimate


@dataclass(frozen=True, slots=True)
class LogCounts:
    """One per use case: where its answered rows are. The counts never go down; deleted rows stay counted as stored.

    Attributes:
        stored: In the store, or deleted from it by age.
        spooled: In the spool, waiting for the writer.
        not_logged: Answered though neither could be written.
        torn: Lines of the spool that could not be read: cut off when a worker was killed before it answered, or lost
            in a power failure. Of the whole spool: such a line does not say whose it was.
    """

    stored: int = 0
    spooled: int = 0
    not_logged: int = 0
    torn: int = 0

    @property
    def answered(self) -> int:
        """All of them."""
        return self.stored + self.spooled + self.not_logged


@dataclass(frozen=True, slots=True)
class DayCount:
    """One per day, version and route of a use case that has rows in the store.

    Attributes:
        day: Days since 1970-01-01 (UTC).
        version: Registered version; None where no version answered.
        route: Who answered: `model`, `passthrough` or `shadow`.
        rows: How many.
        unanswered: Rows among them without a usable answer.
        mean_ms: Mean latency; None when no row has one.
        usd: Price of the rows whose price is known.
        unpriced: Rows whose price is not known.
    """

    day: int
    version: str | None
    route: str
    rows: int
    unanswered: int
    mean_ms: float | None
    usd: Usd
    unpriced: int

    def is_of(self, version: str) -> bool:
        """Whether a version answered these rows itself, heard by clients."""
        return self.version == version and self.route == "model"


def rows_of_others(counts: Iterable[DayCount], version: str) -> int:
    """Rows that clients heard another version answer than this one, or none."""
    return sum(each.rows for each in counts if each.route != "shadow" and not each.is_of(version))


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """One per pair of versions that answered the same rows, one of them unseen.

    Attributes:
        challenger: The version whose answers nobody got.
        champion: The version that answered.
        rows: Rows that both answered.
        agreed: Rows among them with the same answer.
        judged: Of rows whose right answer people sent: that answer, the champion's, the challenger's.
    """

    challenger: str
    champion: str
    rows: int
    agreed: int
    judged: tuple[tuple[str, str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One per pair of versions: what is known of the challenger before any alias moves.

    Attributes:
        counts: What was counted.
        agreement: Share of rows with the same answer.
        champion: Its share of right answers, of the rows whose right answer is known; None without such rows.
        challenger: The same of the challenger.
        gained: challenger − champion, on the same rows; None without such rows.
    """

    counts: ShadowCount
    agreement: Estimate
    champion: Estimate | None = None
    challenger: Estimate | None = None
    gained: Estimate | None = None
