"""What every report and every scored predictor has."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Cost, Estimate, Record


class Report(Record):
    """One per stage run."""

    use_case: str
    stage: str
    finished_at: str = Field("", description="UTC, ISO 8601; stamped by the runner.")
    rows_digest: str = Field("", description="What rows were read: digest of train and dev rows.")
    spec_digest: str = Field("", description="Digest of the spec sections this stage reads.")
    cost: Cost | None = Field(None, description="Stamped by the runner.")


class Scored(Record):
    """One per predictor and set of rows."""

    name: str
    title: str
    metrics: dict[str, Estimate] = Field(
        min_length=1, description="Measure (core/measures.py) → estimate; the first is what the target is about."
    )
    usd_per_1000: Usd | None = Field(None, description="US dollars per 1,000 rows; null when not known.")
    invalid_rows: int = Field(0, description="Rows without a valid answer; they count as not right.")

    @property
    def metric(self) -> str:
        """The measure that the target is about."""
        return next(iter(self.metrics))

    @property
    def quality(self) -> Estimate:
        """What the target is held against."""
        return self.metrics[self.metric]


class Paired(Record):
    """One per comparison of two predictors on the same rows."""

    first: str
    second: str
    metric: str = Field("accuracy", description="The measure that the difference is of.")
    difference: Estimate = Field(description="metric(first) − metric(second), paired bootstrap interval.")
    only_first_right: int
    only_second_right: int
    mcnemar_p: float = Field(description="Exact McNemar test over rows answered wholly right, two-sided.")
