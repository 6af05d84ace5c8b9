"""What people see of a look: the page in the checkout, and runs in MLflow beside the version that was looked at."""

from __future__ import annotations

from pathlib import Path

from tailtune.core.monitored import MonitorReport
from tailtune.lifecycle.context import Context
from tailtune.operations.windows import Window
from tailtune.report.html import monitor
from tailtune.report.monitor_runs import day_values, plan_of
from tailtune.services import store
from tailtune.services.mlflow import windows
from tailtune.services.mlflow.windows import DayPoints

LOG = "the prediction log"


def page_of(context: Context, report: MonitorReport) -> Path:
    """Draw the page of a look; returns its file."""
    name = Window(report.first_day, report.last_day).name if report.source == LOG else f"file-{report.made_at[:19]}"
    file = context.paths.build / "monitor" / f"v{report.version}-{name.replace(':', '')}.html"
    with store.written_whole(file) as part:
        part.write_text(monitor.render(report), encoding="utf-8")
    return file


def publish(context: Context, report: MonitorReport, page: Path) -> str:
    """Write a look as a run of MLflow, and its days into the version's run over time. Returns the look's run id.

    Raises:
        ServiceError: MLflow does not answer.
    """
    plan = plan_of(report, page.read_text(encoding="utf-8"))
    days = [DayPoints(each.day, day_values(each)) for each in report.days] if report.source == LOG else []
    key = f"monitor v{report.version} {report.first_day} {report.last_day} {report.made_at}"
    wall_s = 0.0 if report.cost is None else report.cost.wall_s
    return windows.publish(context.tracker, report.version, key, plan, days, wall_s)
