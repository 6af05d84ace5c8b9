"""What the monitor sees of a window of answered rows, and what it found: passed between judge, stores and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate, Record

Floats = NDArray[np.floating]


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
