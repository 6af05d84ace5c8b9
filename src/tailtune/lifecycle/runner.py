"""Run one stage: take the use case, check the guards, run, put its files into place, track it, write the report."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.config.settings import Settings
from tailtune.core.errors import GateError
from tailtune.core.private import temporary_files_in
from tailtune.core.progress import Progress
from tailtune.core.reports import RegisterReport, Report
from tailtune.lifecycle import guards
from tailtune.lifecycle.alone import alone_in_stage
from tailtune.lifecycle.charging import charged
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.table import BY_NAME, Stage
from tailtune.report.mlflow import plan
from tailtune.services import mlflow, store
from tailtune.tasks.use_case import load_use_case


def run_stage(name: str, use_case: str, paths: Paths, settings: Settings, progress: Progress) -> Report:
    """Run a stage of a use case and write its report last. What it cost is tracked however it ends.

    The stage writes into an empty folder, which takes the place of the stage's own when the stage ends, also when its
    gate says no; a stage that fails leaves nothing half written.

    Raises:
        BusyError: Another run or stage is at work on the use case.
        TailTuneError: Whatever the stage found wrong. A failing gate still leaves its report.
    """
    stage = BY_NAME[name]
    case = load_use_case(paths, use_case)
    prices = load_prices(paths)
    with alone_in_stage(case.paths, name), temporary_files_in(case.paths.temporary):
        uri = settings.resolved_tracking_uri(paths)
        mlflow.check_writable(uri)
        tracker = mlflow.connect(uri, case)
        context = Context(case, settings, progress, tracker, name, case.paths.staging(name))
        case.paths.report(name).unlink(missing_ok=True)  # a stage that fails must not leave an earlier run's report
        with charged(context, name, prices.machine_hour_usd) as cost:
            guards.check(context)
            with _replaced_whole(context.out, case.paths.stage(name)):
                report, refusal = _outcome(stage, context)
                stamp = {
                    "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "spec_digest": case.spec.digest(stage.sections),
                    "cost": cost(),
                }
                report = report.model_copy(update=stamp)
                if isinstance(report, RegisterReport):
                    _publish(context, report)
            failures = case.paths.stage("evaluate") / "failures.jsonl"
            tracker.publish(report, plan(report, case.spec, failures))
        store.write_report(case.paths.report(name), report)
        for clean_up in context.afterwards:
            clean_up()
    if refusal is not None:
        raise refusal
    return report


def _outcome(stage: Stage, context: Context) -> tuple[Report, GateError | None]:
    try:
        return stage.load()(context), None
    except GateError as refusal:
        if not isinstance(refusal.report, Report):
            raise
        return refusal.report, refusal


def _publish(context: Context, report: RegisterReport) -> None:
    from tailtune.lifecycle.publish import decision_page  # it brings MLflow's registry and the page's templates

    decision_page(context, report)


@contextmanager
def _replaced_whole(staging: Path, folder: Path) -> Iterator[None]:
    """An empty folder for a stage to write into; it takes the place of the stage's own when the block ends well."""
    for old in (staging, folder):  # DVC removes what a stage wrote before, too
        shutil.rmtree(old, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield
        if any(staging.iterdir()):
            staging.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
