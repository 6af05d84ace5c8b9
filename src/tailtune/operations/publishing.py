"""What people see of a look: the page in the checkout, and runs in MLflow beside the version that was looked at."""

from __future__ import annotations

from pathlib import Path

from tailtune.core.days import moment_us
from tailtune.core.digests import file_digest
from tailtune.core.errors import ServiceError
from tailtune.core.monitored import LOG, MonitorReport
from tailtune.core.records import added
from tailtune.lifecycle.context import Context
from tailtune.operations.windows import Window
from tailtune.report.html import monitor
from tailtune.report.monitor_runs import day_values, plan_of
from tailtune.services import store
from tailtune.services.mlflow import windows
from tailtune.services.mlflow.windows import DayPoints

_WAITING = ".waiting.json"  # a look that MLflow has not taken yet


def page_of(context: Context, report: MonitorReport) -> Path:
    """Draw the page of a look; returns its file."""
    name = Window(report.first_day, report.last_day).name if report.source == LOG else f"file-{report.made_at[:19]}"
    file = context.paths.build / "monitor" / f"v{report.version}-{name.replace(':', '')}.html"
    with store.written_whole(file) as part:
        part.write_text(monitor.render(report), encoding="utf-8")
    return file


def publish_all(context: Context, report: MonitorReport, page: Path) -> str | None:
    """Write a look as a run of MLflow, after those that MLflow did not take before; what it does not take is kept.

    Returns:
        The look's run id; None where MLflow did not answer: the next look writes it there, with what it cost.
    """
    waiting = page.with_suffix(_WAITING)
    if waiting.is_file():  # what that look cost is not lost with it
        before = MonitorReport.model_validate_json(waiting.read_text(encoding="utf-8"))
        report = report.model_copy(update={"cost": added(before.cost, report.cost)})
    store.write_json(waiting, report.model_dump(mode="json"))
    run_id = None
    try:
        for file in sorted(page.parent.glob(f"*{_WAITING}"), key=lambda each: each.stat().st_mtime):
            kept = MonitorReport.model_validate_json(file.read_text(encoding="utf-8"))
            run_id = _publish(context, kept, file_digest(file))
            file.unlink()
    except ServiceError as error:
        context.progress.say(f"not in MLflow yet, the next look writes it there: {error.message}")
        return None
    return run_id


def _publish(context: Context, report: MonitorReport, look: str) -> str:
    """Write a look as a run of MLflow, and its days into the version's run over time. Returns the look's run id.

    Args:
        context: Of the look.
        report: What was seen.
        look: Names it.

    Raises:
        ServiceError: MLflow does not answer.
    """
    plan = plan_of(report, monitor.render(report))
    at_ms = moment_us(report.made_at) // 1000
    days = [
        DayPoints(
            each.day,
            day_values(each),
            None if each.figures.is_over else at_ms,
            each.evidence is not None and each.evidence >= 1,
        )
        for each in (report.days if report.source == LOG else ())
    ]
    window = f"monitor v{report.version} {report.first_day} {report.last_day}"
    key, so_far = f"{window} {report.made_at}", f"{window} so far"
    wall_s = 0.0 if report.cost is None else report.cost.wall_s
    return windows.publish(
        context.tracker,
        report.version,
        key if report.is_over else so_far,
        plan,
        days,
        wall_s,
        look=look,
        goes_on=so_far if report.source == LOG else None,
    )
