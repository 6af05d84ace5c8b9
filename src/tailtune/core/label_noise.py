"""How many labels look wrong, and which: what the ladder and evaluation report of a split."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Record, Split


class SuspectLabel(Record):
    """One per row whose label looks wrong."""

    id: str = Field(description="Of the row, by which a corrected label finds it.")
    split: Split
    origin: str
    text: str
    label: str = Field(description="As the row has it.")
    likely_label: str = Field(description="What two models that did not learn from the row would call it.")
    confidence: float = Field(description="Probability that the first of them gives to likely_label.")


class LabelNoise(Record):
    """One per split: how many of its labels look wrong, and what that leaves to show."""

    split: Split
    rows: int = Field(description="Rows whose labels were checked.")
    reviewed_rows: int = Field(0, description="Of these, with a label that a person corrected or confirmed.")
    suspect_rows: int = Field(description="Rows whose label looks wrong.")
    wrong: Estimate = Field(
        description="Share of labels that are wrong: suspect rows, corrected for what such a check misses and suspects "
        "by mistake; the interval allows for both."
    )
    worst: tuple[SuspectLabel, ...] = Field((), description="The most suspect rows; all are in suspect_labels.jsonl.")
    review_hours: float = Field(0.0, description="A person's time to look at all suspect rows.")
    review_usd: Usd | None = Field(None, description="The same at the price of an hour; null when none is declared.")

    @property
    def ceiling(self) -> Estimate:
        """Accuracy that a model shows on these labels when it is always right."""
        ends = {"value": 1 - self.wrong.value, "low": 1 - self.wrong.high, "high": 1 - self.wrong.low}
        return self.wrong.model_copy(update=ends)
