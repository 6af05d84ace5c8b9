"""What prompted rungs are expected to cost, before the first request."""

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


def total_usd(forecasts: Sequence[Forecast]) -> float | None:
    """Dollars of all rungs; None as long as one is not known."""
    return known_sum(forecast.usd for forecast in forecasts)


def cost_line(forecasts: Sequence[Forecast], spec: PromptSpec) -> str:
    """The expected cost in one line."""
    cost, rows = total_usd(forecasts), max((forecast.rows for forecast in forecasts), default=0)
    names = len(forecasts)
    at_most = f"{names} rungs × {rows:,} rows would cost about "
    limit = f"the limit is {usd(spec.max_cost_usd)}"
    if cost is None:
        return f"{names} rungs × {rows:,} rows at a price that is not declared; {limit} and cannot hold without one"
    usual = "; buying stops as soon as the question is settled" if spec.stop == "settled" else ""
    return f"{at_most}{usd(cost)}; {limit}{usual}"


def cost_table(forecasts: Sequence[Forecast]) -> list[str]:
    """The estimate as a table for a terminal."""
    head = f"{'rung':46}{'model':16}{'rows':>7}{'tokens in':>12}{'tokens out':>12}{'USD':>10}"
    body = [
        f"{saved.title(each.name):46}{each.model:16}{each.rows:>7,}{each.input_tokens:>12,.0f}"
        f"{each.output_tokens:>12,.0f}{usd(each.usd):>10}"
        for each in forecasts
    ]
    return [head, *body]
