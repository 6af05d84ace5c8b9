"""What the monitor sees of a window of answered rows, and what it found: passed between judge, stores and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tailtune.core.alerts import Alert
from tailtune.core.money import Usd
from tailtune.core.records import Cost, Estimate, Record

Floats = NDArray[np.floating]
ANSWER, LATENCY = "answer", "latency"
"""Measures that have a limit besides what they are compared with."""
STRANGENESS = "strangeness"
"""Measure that unseen kinds of texts raise most: how far off a text is, and how unsure the answer."""
LOG = "the prediction log"
"""Source of a look at what a server answered; other sources are files, and add no evidence over time."""


@dataclass(frozen=True)
class Sample:
    """Rows, column by column: of a version's reference, or of a window.

    Attributes:
        rows: How many.
        numbers: Measure → a value per row, NaN where it was not measured, (rows,).
        categories: Measure → a value per row, as text; None where there is none.
        embeddings: Unit vectors of the rows that have one, or of some of them drawn by chance, (at most rows, width);
            None where no row has one.
    """

    rows: int
    numbers: Mapping[str, Floats]
    categories: Mapping[str, Sequence[str | None]]
    embeddings: Floats | None = None


@dataclass(frozen=True)
class DayCounts:
    """One per version and day: all that later looks need of that day's rows.

    Attributes:
        day: Days since 1970-01-01 (UTC).
        rows: How many there were.
        counts: Key of a statistic → rows that count, rows that were measured.
        sums: Key → sums over rows that later days learn from, as the embedding's; may be large.
    """

    day: int
    rows: int
    counts: Mapping[str, tuple[int, int]]
    sums: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Finding(Record):
    """One per statistic that is watched: a share of rows, then and now.

    Attributes:
        measure: What is measured of a row: `answer`, `confidence`, `embedding`, `filled POLICY_NUMBER`.
        part: Which rows count: the category, or the range in the reference's own terms; may be empty.
        more: Whether there are more of them than before; else there are fewer.
        reference: Share of the reference's rows.
        window: Share of the window's rows.
        difference: window − reference, with its interval.
        p: Probability of so large a difference, or a larger one, were there none beyond what does not matter; from this
            window alone, not corrected.
        evidence: Over all days looked at, as a share of what makes an alarm: 1 and more is one.
        since: Day (since 1970-01-01, UTC) from which the evidence speaks; None where there is none.
    """

    measure: str
    part: str = ""
    more: bool
    reference: Estimate
    window: Estimate
    difference: Estimate
    p: float
    evidence: float
    since: int | None = None

    @property
    def alarm(self) -> bool:
        """Whether this alone is one."""
        return self.evidence >= 1

    @property
    def is_limit(self) -> bool:
        """Whether the share is held against one that is declared, and not against a reference's rows."""
        return self.reference.rows == 0


class DayFigures(Record):
    """One per version and day: what charts over weeks show of it."""

    rows: int = Field(description="Rows that the version answered.")
    rows_read: int = Field(description="Of these, drawn by chance and looked at.")
    unanswered: int = Field(description="Rows without a usable answer.")
    p50_ms: float | None = Field(description="Of all times from request to answer, half are below; null without rows.")
    p99_ms: float | None = Field(description="99 of 100 are below; null without rows.")
    usd: Usd = Field(description="Price of the rows whose price is known.")
    unpriced: int = Field(description="Rows whose price is not known.")
    accuracy: Estimate | None = Field(None, description="Estimated without labels; null where it could not be.")
    every: int = Field(1, description="One row in so many was looked at.")
    is_over: bool = Field(True, description="Whether the day was over when it was counted; else rows may follow.")


class MovedWord(Record):
    """One per word that texts have more or less often than before."""

    word: str
    before: float = Field(description="Share of the reference's texts that have it.")
    now: float = Field(description="Share of the window's texts that have it.")

    @property
    def more(self) -> bool:
        """Whether it is more frequent now."""
        return self.now > self.before


class ShownRow(Record):
    """One per row of the window that shows what moved."""

    text: str = Field(description="Scrubbed.")
    answer: str | None
    confidence: float | None
    shows: str = Field(description="What it shows, in words.")


class AccuracyNow(Record):
    """One per way of knowing how often the model is right now."""

    by: Literal["no labels", "feedback", "audit"]
    accuracy: Estimate | None = Field(description="Null where it could not be estimated.")
    note: str = Field(description="How, on what, and what such an estimate cannot see; or why there is none.")


class WatchedDay(Record):
    """One per day of a version that was looked at."""

    day: int = Field(description="Days since 1970-01-01 (UTC).")
    figures: DayFigures
    evidence: float | None = Field(description="Of all days until then, 1 and more is an alarm; null: not measured.")


class MonitorReport(Record):
    """One per look at a window of a version's rows."""

    use_case: str
    model: str
    version: str
    measure: str = Field(description="The quality measure (core/measures.py) that accuracy stands for here.")
    made_at: str = Field(description="ISO 8601, UTC.")
    first_day: int = Field(description="Of the window, days since 1970-01-01 (UTC).")
    last_day: int = Field(description="Of the window, included.")
    source: str = Field(description="Where the rows are from: the prediction log, or a file.")
    rows: int = Field(description="Rows of the window that the version answered.")
    rows_read: int = Field(description="Of these, drawn by chance and looked at.")
    other_rows: int = Field(0, description="Rows of the window that other versions, or no version, answered.")
    not_logged: int = Field(0, description="Rows that were answered and could not be logged.")
    reference_rows: int = Field(description="Held-out rows that say how right the version was.")
    traffic_rows: int = Field(
        0, description="Rows of the week before it answered, which the window is compared with; 0: with held-out rows."
    )
    then: Estimate | None = Field(description="Accuracy on the reference's rows; null where it was not measured.")
    now: tuple[AccuracyNow, ...]
    false_alarms: float = Field(description="Share of months that may alarm although nothing has moved.")
    tolerance: float = Field(description="By how much a share may move without mattering.")
    evidence: float | None = Field(description="Of everything together; 1 and more is an alarm; null: not measured.")
    alarm_day: int | None = Field(None, description="First day after which it was an alarm; null where it never was.")
    findings: tuple[Finding, ...]
    statistics: int = Field(description="Shares that were compared.")
    words: tuple[MovedWord, ...] = ()
    examples: tuple[ShownRow, ...] = ()
    not_measured: tuple[str, ...] = ()
    days: tuple[WatchedDay, ...] = ()
    alerts: tuple[Alert, ...] = ()
    cost: Cost | None = None
    cost_since: str = Field(
        "", description="The first look whose cost is in `cost`, where MLflow had not taken it; empty: this one alone."
    )

    @property
    def is_over(self) -> bool:
        """Whether all days of the window were over when they were counted."""
        return all(each.figures.is_over for each in self.days if self.first_day <= each.day <= self.last_day)

    @property
    def drifted(self) -> bool:
        """Whether drift is alarming now."""
        return self.evidence is not None and self.evidence >= 1

    @property
    def best_known(self) -> AccuracyNow | None:
        """What to tell of accuracy: an audit before an estimate without labels; None where there is neither.

        Feedback is left out: it is about rows that somebody picked.
        """
        there = [each for each in self.now if each.by != "feedback" and each.accuracy is not None]
        return max(there, key=lambda each: each.by == "audit", default=None)
