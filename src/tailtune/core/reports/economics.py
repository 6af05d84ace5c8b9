"""Candidates in dollars: what prompting and a fine-tune cost to own, and from which volume which is dearer."""

from __future__ import annotations

from pydantic import AliasChoices, Field, model_validator

from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Record


class CostLine(Record):
    """One per kind of cost of a candidate."""

    what: str = Field(description="For people, e.g. labels, tokens, retraining.")
    usd: Usd | None = Field(description="Over the horizon, US dollars; null when a price is not known.")
    basis: str = Field(description="How it was reckoned: rows × price, hours × price.")
    hidden: bool = Field(False, description="True for what no invoice shows: human time, waiting, evaluation.")


class CandidateCost(Record):
    """One per candidate: what the best prompt, the best local rung or the fine-tune costs to own.

    Attributes:
        quality: On the rows it was measured on; null for a fine-tune that is not trained yet.
    """

    name: str
    title: str
    quality: float | None
    one_off_usd: Usd | None = Field(description="Spent once.")
    monthly_usd: Usd | None = Field(description="Spent every month, whatever the volume.")
    request_usd: Usd | None = Field(description="Spent on every request.")
    lines: tuple[CostLine, ...] = Field((), description="Their sum over the horizon is total_usd.")
    total_usd: Usd | None = Field(None, description="Over the horizon at the declared volume; null when not known.")


class Economics(Record):
    """One per verdict with declared volume: all candidates over a horizon."""

    requests_per_day: float | None
    error_usd: Usd | None = Field(description="What a wrong answer costs; null when not declared.")
    horizon_months: int
    candidates: tuple[CandidateCost, ...] = Field(
        validation_alias=AliasChoices("candidates", "roads"), description="`roads` in old reports."
    )
    net_value: Estimate | None = Field(
        None,
        description="Of the fine-tune over the first candidate, US dollars over the horizon, 95 % bootstrap interval.",
    )
    probability: float | None = Field(None, description="Share of bootstrap draws in which the net value is above 0.")
    break_even_per_day: Estimate | None = Field(
        None, description="Requests a day from which the fine-tune costs less in all; value NaN when never."
    )
    unknown: tuple[str, ...] = Field((), description="What is not declared, so that a figure is null.")

    @model_validator(mode="after")
    def _probability_is_one(self) -> Economics:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability is {self.probability}; expected 0 to 1")
        return self
