"""What people see of a look: the page in the checkout, and runs in MLflow beside the version that was looked at."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

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

    A file of such a look that cannot be read is put aside under another name, and that is said.

    Returns:
        The look's run id; None where MLflow did not answer: the next look writes it there, with what it cost.
    """
    waiting = page.with_suffix(_WAITING)
    before = _read(context, waiting)
    since, cost = f"{report.made_at} {secrets.token_hex(4)}", report.cost
    if before is not None:  # what that look cost is not lost with it
        since, cost = _since(before.report), added(before.report.cost, cost)
    report = report.model_copy(update={"cost": cost, "cost_since": since})
    store.write_json(waiting, report.model_dump(mode="json"))
    run_id = None
    try:
        for file in sorted(page.parent.glob(f"*{_WAITING}"), key=_changed_s):
            kept = _read(context, file)
            if kept is None:
                continue
            written = _publish(context, kept)
            run_id = written if file == waiting else run_id
            with suppress(FileNotFoundError):
                if file_digest(file) == kept.digest:  # else a later look waits there by now
                    file.unlink()
    except ServiceError as error:
        context.progress.say(f"not in MLflow yet, the next look writes it there: {error.message}")
        return None
    return run_id


@dataclass(frozen=True)
class _Waiting:
    """One per look that MLflow has not taken yet.

    Attributes:
        report: The look, with what it and those before it cost that MLflow has not taken either.
        digest: Of its file.
    """

    report: MonitorReport
    digest: str


def _read(context: Context, file: Path) -> _Waiting | None:
    """A look that waits; None where it has gone, or cannot be read and was put aside."""
    try:
        digest = file_digest(file)  # first: where the file is replaced meanwhile, this is not the digest of the new one
        return _Waiting(MonitorReport.model_validate_json(file.read_bytes()), digest)
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        aside = file.with_name(f"{file.name}.unreadable-{time.time_ns()}")
        with suppress(FileNotFoundError):
            file.replace(aside)
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror or str(error)
        context.progress.say(
            f"{context.shown(aside)}: a look that waited for MLflow and cannot be read, put aside: {why}"
        )
        return None


def _changed_s(file: Path) -> float:
    """When a file was written, seconds since 1970; 0 where it has gone."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _since(report: MonitorReport) -> str:
    """Names the first look whose cost a waiting one holds; earlier versions did not write it down."""
    return report.cost_since or report.made_at


def _publish(context: Context, waiting: _Waiting) -> str:
    """Write a look as a run of MLflow, and its days into the version's run over time. Returns the look's run id.

    Raises:
        ServiceError: MLflow does not answer.
    """
    report, since = waiting.report, _since(waiting.report)
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
    key, so_far = f"{window} {since}", f"{window} so far"
    wall_s = 0.0 if report.cost is None else report.cost.wall_s
    return windows.publish(
        context.tracker,
        report.version,
        key if report.is_over else so_far,
        plan,
        days,
        wall_s,
        look=waiting.digest,
        goes_on=so_far if report.source == LOG else None,
        since=since,
    )
