"""Every way to answer that was measured, in one list: local rungs, prompted rungs, and the fine-tune on test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CandidateResult, PromptedRung, RungResult
from tailtune.report.numbers import count
from tailtune.report.story import Story

Kind = Literal["local", "prompted", "tuned"]


@dataclass(frozen=True, slots=True)
class Way:
    """One per way to answer that was measured.

    Attributes:
        scored: How it did: rungs on dev, the fine-tune on test.
        kind: What it is.
    """

    scored: RungResult | CandidateResult
    kind: Kind

    @property
    def name(self) -> str:
        """In specs and reports."""
        return self.scored.name

    @property
    def title(self) -> str:
        """For people."""
        return self.scored.title

    @property
    def quality(self) -> Estimate:
        """Of the measure that the target is about."""
        return self.scored.quality

    @property
    def latency(self) -> Latency | None:
        """Of one answer; None when not timed."""
        return self.scored.latency

    @property
    def usd(self) -> Estimate | None:
        """US dollars per 1,000 answers, with an interval where tokens vary; None when not known."""
        value = self.scored.usd_per_1000
        if value is None:
            return None
        low = high = value
        if isinstance(self.scored, PromptedRung) and self.scored.usd_low is not None:
            low, high = self.scored.usd_low, value if self.scored.usd_high is None else self.scored.usd_high
        return Estimate(value=value, low=low, high=high, rows=self.quality.rows)

    @property
    def usable(self) -> float:
        """Share of answers that could be used, 0 to 1; NaN when nothing was answered."""
        return 1 - self.scored.invalid_rows / self.quality.rows if self.quality.rows else math.nan

    @property
    def stopped_early(self) -> bool:
        """Whether buying stopped by what the answers said, so that the interval is a confidence sequence."""
        found = self.scored
        return isinstance(found, PromptedRung) and found.settled != "budget" and found.quality.rows < found.of_rows

    @property
    def labels(self) -> str:
        """Labelled rows that it needs to answer; empty where that is told elsewhere."""
        return count(self.scored.fit_rows) if isinstance(self.scored, RungResult) else ""


def ways(story: Story) -> tuple[Way, ...]:
    """All of them: local rungs, prompted rungs, then the fine-tune when it was tested."""
    local = story.ladder.rungs if story.ladder else ()
    prompted = story.prompt.rungs if story.prompt else ()
    tuned = () if story.fine_tune is None else (story.fine_tune,)
    return (
        *(Way(one, "local") for one in local),
        *(Way(one, "prompted") for one in prompted),
        *(Way(one, "tuned") for one in tuned),
    )


def undominated(found: Sequence[Way]) -> tuple[Way, ...]:
    """Ways to which no other is both cheaper and better, cheapest first; without price or quality a way is left out."""
    priced = [(way.usd.value, way) for way in found if way.usd is not None and not math.isnan(way.quality.value)]
    kept: list[Way] = []
    for _, way in sorted(priced, key=lambda one: (one[0], -one[1].quality.value)):
        if not kept or way.quality.value > kept[-1].quality.value:
            kept.append(way)
    return tuple(kept)
