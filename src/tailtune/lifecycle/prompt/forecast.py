"""What prompting is expected to cost, told before the first request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import PromptSpec
from tailtune.core.figures import usd
from tailtune.core.money import known_sum
from tailtune.core.records import Row
from tailtune.predictors.prompted.costs import expected
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved


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
    """Tokens and dollars of asking a rung every row."""
    found = expected(rung, [row.text for row in rows], price)
    return Forecast(name, rung.spec.name, len(rows), found.input_tokens, found.output_tokens, found.usd)


def total(forecasts: Sequence[Forecast]) -> float | None:
    """Dollars of all rungs; None as long as one is not known."""
    return known_sum(one.usd for one in forecasts)


def said(forecasts: Sequence[Forecast], spec: PromptSpec) -> str:
    """One line for the person who pays."""
    cost, rows = total(forecasts), max((one.rows for one in forecasts), default=0)
    names = len(forecasts)
    at_most = f"{names} rungs × {rows:,} rows would cost about "
    limit = f"the limit is {usd(spec.max_cost_usd)}"
    if cost is None:
        return f"{names} rungs × {rows:,} rows at a price that is not declared; {limit} and cannot hold without one"
    usual = "; buying stops as soon as the question is settled" if spec.stop == "settled" else ""
    return f"{at_most}{usd(cost)}; {limit}{usual}"


def lines(forecasts: Sequence[Forecast]) -> list[str]:
    """The estimate as a table for a terminal."""
    head = f"{'rung':46}{'model':16}{'rows':>7}{'tokens in':>12}{'tokens out':>12}{'USD':>10}"
    body = [
        f"{saved.title(one.name):46}{one.model:16}{one.rows:>7,}{one.input_tokens:>12,.0f}{one.output_tokens:>12,.0f}"
        f"{'not known' if one.usd is None else usd(one.usd):>10}"
        for one in forecasts
    ]
    return [head, *body]
