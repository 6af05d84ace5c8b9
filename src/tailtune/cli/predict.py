"""What `tailtune predict` does: answer the rows of a file with a registered version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import DataError, Fault
from tailtune.core.money import Usd
from tailtune.report.numbers import counted, duration, usd
from tailtune.tasks.use_case import load_use_case

if TYPE_CHECKING:
    from tailtune.serving.batch.run import BatchRequest, Summary


@dataclass(frozen=True)
class PredictOptions:
    """One per command.

    Attributes:
        source: Rows in.
        out: Rows out.
        text_column: Holds what is answered; `data.text` of the use case when None.
        version: Alias or number; `serve.alias` of the use case when None.
        processes: That answer; one per core when None.
        prefix: Before the names of the columns that are added.
        spreadsheet: Whether CSV is for a spreadsheet.
        max_usd: Hard stop of what an endpoint may be paid.
        log: Whether the answers go into the prediction log.
    """

    source: Path
    out: Path
    text_column: str | None = None
    version: str | None = None
    processes: int | None = None
    prefix: str = ""
    spreadsheet: bool = False
    max_usd: Usd | None = None
    log: bool = False


def predict(paths: Paths, name: str, options: PredictOptions) -> Iterator[str]:
    """Answer the rows of a file. Yields lines that say what was done. What it costs is noted in the ledger.

    Raises:
        UsageError: There is no such version, or what the options say does not fit.
        DataError: The file cannot be read.
        ServiceError: The version's files cannot be fetched, or an endpoint or the prediction log does not answer.
        BudgetReachedError: The endpoint may be paid no more; the same command with a higher limit goes on.
    """
    from tailtune.config.prices import load_prices
    from tailtune.lifecycle.charging import charged
    from tailtune.lifecycle.context import Context
    from tailtune.report.terminal.progress import ConsoleProgress
    from tailtune.services.mlflow import connect
    from tailtune.serving.batch.run import BatchRequest, predict_file
    from tailtune.serving.batch.version import BatchVersion

    case, settings = load_use_case(paths, name), Settings()
    version = BatchVersion.of(case, settings, options.version)
    request = BatchRequest(
        source=options.source,
        out=options.out,
        text_column=options.text_column or case.spec.data.text,
        task=case.spec.task,
        answered_by={"model": version.stored.model, "version": version.stored.version},
        go_on={"version": f"tailtune predict {name} … --version {{}}", "prediction_log": "the same without --log"},
        prefix=options.prefix,
        spreadsheet=options.spreadsheet,
    )
    what = f"{options.source.name} by version {version.stored.version} of {version.stored.model}"
    hour_usd, log = load_prices(paths).machine_hour_usd, version.log() if options.log else None
    with ConsoleProgress("predict", what, settings.progress) as progress:
        context = Context(case, settings, progress, connect(settings.resolved_tracking_uri(paths), case))
        with charged(context, "predict", hour_usd, f"{options.source.name}, version {version.stored.version}") as cost:
            answering = version.answering(context, options.processes, options.max_usd, options.log)
            summary = predict_file(request, answering, progress, log)
            used = cost()
    yield from _lines(request, summary)
    if summary.logged is not None:
        yield f"prediction log  {counted(summary.logged, 'row')} stored (tailtune log {name})"
    yield _cost(summary, used.wall_s, used.usd)
    _require_all(request, summary)


def _require_all(request: BatchRequest, summary: Summary) -> None:
    """End as a failure where a row has no answer, so that a script sees it; the file is written all the same.

    Raises:
        DataError: Rows that cannot be read, or that something failed on.
    """
    lost, rows = summary.unreadable + summary.problems, counted(summary.rows + summary.unreadable, "row")
    if lost:
        fault = Fault(str(request.source), f"{lost:,} of {rows} have no answer; the first: {summary.first}")
        here = f"{request.dropped if summary.unreadable else request.out} says which"
        raise DataError([fault], f"correct these rows ({here}), then answer them as a file of their own")


def _lines(request: BatchRequest, summary: Summary) -> Iterator[str]:
    version = request.answered_by["version"]
    rows = counted(summary.rows + summary.unreadable, "row")
    dropped = f" + {summary.unreadable:,} that cannot be read" if summary.unreadable else ""
    valid = f"{summary.answered:,} answered + {summary.invalid:,} without a valid answer{dropped}"
    yield f"{request.source}  {rows} in = {valid}"
    if summary.unreadable:
        yield f"{request.dropped}  which rows, and why"
    if summary.problems:
        yield f"{counted(summary.problems, 'row')} failed and have no answer; the first: {summary.problem}"
    yield f"{request.out}  {counted(summary.rows, 'row')} out, answered by version {version}"


def _cost(summary: Summary, took_s: float, machine_usd: Usd | None) -> str:
    """Rate, time and dollars of a run."""
    rate = summary.rows_per_s
    speed = "" if rate is None else f"{rate:,.0f} rows/s, "
    before = f", {summary.before:,} of them by runs before" if summary.before else ""
    paid = "" if summary.usd == 0 else f", endpoint {usd(summary.usd)}"
    return f"{speed}{duration(took_s)}{before}; cost: machine {usd(machine_usd)}{paid}"
