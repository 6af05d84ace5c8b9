"""`tailtune prompt --estimate` and `--repeats`: what prompting will cost, and how much answers vary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tailtune.config.paths import Paths

if TYPE_CHECKING:
    from tailtune.lifecycle.context import Context


def estimate(paths: Paths, use_case: str) -> Iterator[str]:
    """What asking every rung every row would cost; nothing is asked.

    Raises:
        MissingInputError: Curation has not run, a prompt file is missing, or rows must not fail and validation has not
            passed.
        SpecError: A prompt file or a price is not as it must be.
    """
    from tailtune.lifecycle.prompt.forecast import cost_line, cost_table
    from tailtune.lifecycle.prompt.step import NO_MODEL, bought_order, not_installed, rung_factory

    with _context(paths, use_case) as context:
        case = context.case
        if not case.spec.prompt.models:
            yield f"{use_case}: nothing to estimate: {NO_MODEL}"
            return
        if missing := not_installed(case.spec.prompt):
            yield f"{use_case}: nothing to estimate: {missing}"
            return
        train, rows = context.inputs.rows("train"), bought_order(context, context.inputs.rows("dev"))
        with rung_factory(context, train) as factory:
            forecasts, warnings = factory.forecasts(rows), factory.warnings()
    yield from cost_table(forecasts)
    yield cost_line(forecasts, case.spec.prompt)
    yield from warnings


def repeat(paths: Paths, use_case: str, repeats: int) -> Iterator[str]:
    """Ask the best prompt's rows again, past the kept answers, and say how much the answers differ.

    What it cost is noted in MLflow, also when it is cut short.

    Raises:
        UsageError: Less than two repeats.
        MissingInputError: No prompted rung was measured.
    """
    from tailtune.config.prices import load_prices
    from tailtune.lifecycle.charging import charged
    from tailtune.lifecycle.prompt.variance import variance
    from tailtune.report.numbers import share, usd, with_interval

    hour_usd = load_prices(paths).machine_hour_usd
    with _context(paths, use_case) as context, charged(context, "prompt", hour_usd, "repeats"):
        found = variance(context, repeats)
    yield f"{found.rung} ({found.model}), {found.rows:,} dev rows, asked {len(found.qualities)} times"
    if found.qualities:
        yield f"quality of each: {', '.join(share(value) for value in found.qualities)}"
    if len(found.qualities) > 1:
        yield f"rows whose answer changed: {with_interval(found.changed)}"
    paid = "not known" if found.usd is None else usd(found.usd)
    yield f"paid: {paid}{'' if found.whole else '; the limit was reached'}"


@contextmanager
def _context(paths: Paths, use_case: str) -> Iterator[Context]:
    """The context of the stage `prompt`, without running it."""
    from tailtune.config.settings import Settings
    from tailtune.lifecycle.context import Context
    from tailtune.report.terminal.progress import ConsoleProgress
    from tailtune.services import mlflow
    from tailtune.tasks.use_case import load_use_case

    settings, case = Settings(), load_use_case(paths, use_case)
    with ConsoleProgress("prompt", case.spec.description, settings.progress) as progress:
        yield Context(case, settings, progress, mlflow.connect(settings.resolved_tracking_uri(paths), case), "prompt")
