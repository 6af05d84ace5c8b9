"""What the prompted models report: a rung per prompt, and what of each failure is whose fault."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Record
from tailtune.core.reports.common import Paired, Report
from tailtune.core.reports.rungs import RungResult

Role = Literal["base", "strong"]
Settled = Literal["stays", "falls short", "better", "not better", "all rows", "budget"]
Fault = Literal["model", "context", "label", "unexplained"]


class PromptedRung(RungResult):
    """One per prompted rung: how one prompt did on the dev rows that were bought for it.

    `quality.rows` is the number of rows bought. When buying stopped before the last row, the interval of `quality` is a
    confidence sequence, valid at any stopping time; other measures then have no interval that can be promised, and
    theirs are those of a fixed sample.
    """

    model: str = Field(description="Name of the language model, as declared.")
    role: Role
    hosted: bool = Field(False, description="On cores of our own: a model in a folder. An endpoint is paid by token.")
    prompt: str = Field(description="Prompt file's name without its ending.")
    prompt_digest: str = Field(description="Of the prompt's text, 12 hex digits.")
    prompt_version: int | None = Field(None, description="In MLflow's prompt registry; null before it is registered.")
    constrained: bool = Field(False, description="Whether decoding of every answer was held to a JSON schema.")
    forms: dict[str, int] = Field(
        default_factory=dict,
        description="How answers were really held (json_schema, json_object, none) → rows; empty where none was asked.",
    )
    settled: Settled = Field(description="Why buying stopped.")
    of_rows: int = Field(description="Rows that a full evaluation would have bought.")
    comparison: Paired | None = Field(
        None, description="Against the best rung before it, over the rows both have; null when there was none."
    )
    p_adjusted: float | None = Field(None, description="comparison's McNemar p, Holm-adjusted over the prompted rungs.")
    usd: Usd | None = Field(
        None,
        description="All bought answers at list price, cached or not; null when unknown, 0 for a model in a folder.",
    )
    usd_low: Usd | None = Field(None, description="Lower end of the 95 % interval of usd_per_1000.")
    usd_high: Usd | None = Field(None, description="Upper end of the 95 % interval of usd_per_1000.")
    input_tokens: float | None = Field(None, description="Mean of an answer; null when no usage was told.")
    output_tokens: float | None = Field(None, description="Mean of an answer; null when no usage was told.")
    unpriced_rows: int = Field(0, description="Rows whose cost is not known: no usage was told, or no price declared.")
    cached_rows: int = Field(0, description="Rows answered from the cache, at no cost now.")
    retries: int = Field(0, description="Requests sent again after 429, 5xx or a timeout.")
    invalid: dict[str, int] = Field(default_factory=dict, description="Why an answer could not be used → rows.")
    examples_dropped: int = Field(0, description="Examples left out, lowest rank first, to fit the model's context.")
    notes: tuple[str, ...] = ()


class PromptReport(Report):
    """One per measuring of prompted models."""

    models: dict[str, Role] = Field(default_factory=dict, description="Declared language models → role.")
    weights: dict[str, str] = Field(
        default_factory=dict,
        description="Models in a folder that were asked → digest of config, tokenizer and weights.",
    )
    dev_rows: int = Field(0, description="Dev rows that may be bought for a rung.")
    rungs: tuple[PromptedRung, ...] = ()
    best: str | None = Field(None, description="The best prompted rung by quality; null when none was measured.")
    usd_spent: Usd | None = Field(0.0, description="Paid in this run; null when the cost of an answer is not known.")
    usd_estimated: Usd | None = Field(None, description="Estimate told before the first request; null without price.")
    rows_bought: int = 0
    rows_saved_share: float | None = Field(
        None, description="Share of a full evaluation's rows that sequential stopping did not buy, 0 to 1."
    )
    usd_saved_share: float | None = Field(None, description="The same in dollars; null when a price is unknown.")
    not_needed: dict[str, str] = Field(default_factory=dict, description="Rung → why it was not bought.")
    unmeasured: tuple[str, ...] = Field((), description="What could not be measured, with the reason.")
    notes: tuple[str, ...] = ()


class FailureExample(Record):
    """One per shown failure."""

    origin: str
    text: str
    expected: str
    answered: str | None
    strong_answered: str | None = None
    detail: str = ""


class FailureClass(Record):
    """One per reason of failing."""

    fault: Fault
    reason: str = Field(description="A word or two, e.g. retrieval missed.")
    rows: int
    share: Estimate = Field(description="Of all failures.")
    action: str = Field(description="What to do next, one sentence.")
    examples: tuple[FailureExample, ...] = ()


class MixedUp(Record):
    """One per unordered pair of labels, or field, that answers cannot tell apart."""

    first: str
    second: str
    rows: int


class DiagnoseReport(Report):
    """One per diagnosis of the best prompt's failures on dev."""

    rung: str | None = Field(None, description="The best prompted rung; null when none was measured.")
    strong_model: str | None = Field(None, description="Who was asked again with the same prompt.")
    rows: int = Field(0, description="Dev rows the rung answered.")
    failures: int = 0
    classes: tuple[FailureClass, ...] = Field((), description="Counts add up to failures.")
    mixed_up: tuple[MixedUp, ...] = Field((), description="Most frequent first.")
    usd_spent: Usd | None = 0.0
    unmeasured: tuple[str, ...] = ()
