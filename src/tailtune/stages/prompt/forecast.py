"""What prompting is expected to cost, told before the first request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tailtune.core.records import Row
from tailtune.predictors import registry
from tailtune.predictors.prompted.rung import Prompted
from tailtune.report.numbers import usd
from tailtune.spec.prices import TokenPrice
from tailtune.spec.prompting import PromptSpec

_SAMPLE_ROWS = 50


@dataclass(frozen=True)
class Forecast:
    """One per rung: what asking every row would take.

    Attributes:
        rows: Rows that may be bought.
        input_tokens: Of all prompts.
        output_tokens: Of all answers.
        usd: At list price; None when no price is declared, 0 for a local model.
    """

    name: str
    model: str
    rows: int
    input_tokens: float
    output_tokens: float
    usd: float | None


def forecast(name: str, rung: Prompted, rows: Sequence[Row], price: TokenPrice | None) -> Forecast:
    """Tokens and dollars of asking a rung every row, from the first rows' prompts.

    Limit: how long answers are is not known before; the rung says what it expects.
    """
    sample = [row.text for row in rows[:_SAMPLE_ROWS]]
    read, written = rung.expected_tokens(sample)
    scale = len(rows) / max(1, len(sample))
    cost = None if price is None else price.usd(round(read * scale), round(written * scale))
    if rung.spec.folder is not None:
        cost = 0.0
    return Forecast(name, rung.spec.name, len(rows), read * scale, written * scale, cost)


def total(forecasts: Sequence[Forecast]) -> float | None:
    """Dollars of all rungs; None as long as one is not known."""
    known = [one.usd for one in forecasts if one.usd is not None]
    return sum(known) if len(known) == len(forecasts) else None


def said(forecasts: Sequence[Forecast], spec: PromptSpec) -> str:
    """One line for the person who pays."""
    cost, rows = total(forecasts), max((one.rows for one in forecasts), default=0)
    names = len(forecasts)
    at_most = f"{names} rungs × {rows:,} rows would cost about "
    limit = f"the limit is {usd(float(spec.max_cost_usd))}"
    if cost is None:
        return f"{names} rungs × {rows:,} rows at a price that is not declared; {limit} and cannot hold without one"
    usual = "; buying stops as soon as the question is settled" if spec.stop == "settled" else ""
    return f"{at_most}{usd(cost)}; {limit}{usual}"


def lines(forecasts: Sequence[Forecast]) -> list[str]:
    """The estimate as a table for a terminal."""
    head = f"{'rung':46}{'model':16}{'rows':>7}{'tokens in':>12}{'tokens out':>12}{'USD':>10}"
    body = [
        f"{registry.title(one.name):46}{one.model:16}{one.rows:>7,}{one.input_tokens:>12,.0f}{one.output_tokens:>12,.0f}"
        f"{'not known' if one.usd is None else usd(one.usd):>10}"
        for one in forecasts
    ]
    return [head, *body]
