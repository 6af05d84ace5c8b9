"""One look from beginning to end: looked, drawn, told to MLflow, alerts raised or cleared and sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.config.settings import Settings
from tailtune.core.alerts import Message
from tailtune.core.days import day_of
from tailtune.core.monitored import MonitorReport
from tailtune.core.progress import Progress
from tailtune.lifecycle.context import Context
from tailtune.operations.alerts import Alerts, Delivered, open_alerts
from tailtune.operations.monitor import look_at_file, look_at_log
from tailtune.operations.publishing import page_of, publish_all
from tailtune.operations.troubles import alerts_of, measured
from tailtune.operations.windows import Window
from tailtune.services.meter import Meter
from tailtune.services.mlflow import connect
from tailtune.services.monitored_days import MonitoredDays
from tailtune.tasks.use_case import load_use_case


@dataclass(frozen=True)
class LookOptions:
    """One per look.

    Attributes:
        window: Days, as `Window.parse` reads them.
        version: Alias or number; that which is served when None.
        texts: Of a file that is looked at instead of the log.
        source: How the report names that file.
        links: What can be opened besides: name → address.
    """

    window: str = "1d"
    version: str | None = None
    texts: tuple[str, ...] | None = None
    source: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Looked:
    """One per look.

    Attributes:
        report: What was seen.
        page: Its page.
        run_id: Of its run in MLflow; None where MLflow did not answer.
        delivered: What became of messages; None for a file, which raises no alert.
    """

    report: MonitorReport
    page: Path
    run_id: str | None
    delivered: Delivered | None


def watch(paths: Paths, settings: Settings, use_case: str, options: LookOptions, progress: Progress) -> Looked:
    """Look at a use case's version.

    Raises:
        UsageError: There is no such version or window, or nothing was logged.
        MissingInputError: The version has no reference, and none can be made here.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    case, meter = load_use_case(paths, use_case), Meter()
    tracker = connect(settings.resolved_tracking_uri(paths), case)
    context = Context(case, settings, progress, tracker, "monitor")
    which = options.version or case.spec.serve.alias
    if options.texts is None:
        report = look_at_log(context, which, Window.parse(options.window))
    else:
        report = look_at_file(context, which, options.texts, options.source)
    report = report.model_copy(
        update={
            "cost": meter.cost(load_prices(paths).machine_hour_usd),
            "alerts": tuple(alerts_of(report, case.spec.monitor, {})) if options.texts is None else (),
        }
    )
    page = page_of(context, report)
    run_id = delivered = None
    try:
        run_id = publish_all(context, report, page)
    finally:  # alerts are written down whatever becomes of the run
        if options.texts is None:
            links = _links(context, page, run_id, options.links)
            delivered = _tell(context, report, links, is_served=options.version is None)
    return Looked(report, page, run_id, delivered)


def _tell(context: Context, report: MonitorReport, links: Mapping[str, str], is_served: bool) -> Delivered:
    """Write down what the look found, and send what people do not know yet."""
    with open_alerts(context.project, context.settings) as alerts:
        for message in _news(context, alerts, report, links, is_served):
            context.progress.say(f"{message.kind}: {message.alert.title}")
        delivered = alerts.deliver()
        for channel, reason in delivered.failed.items():
            context.progress.say(
                f"{channel} did not take a message ({reason}); it stays written down and is sent later"
            )
        return delivered


def _news(
    context: Context, alerts: Alerts, report: MonitorReport, links: Mapping[str, str], is_served: bool
) -> list[Message]:
    """What the look adds to what people know."""
    case, spec, now_us = context.case, context.case.spec.monitor, time.time_ns() // 1000
    with closing(MonitoredDays(context.settings.prediction_log_url(context.project))) as days:
        newest_day = days.last_look(case.name, until=day_of(now_us))  # later ones: while a clock was ahead
    if newest_day is not None and report.last_day < newest_day:
        context.progress.say("later days have been looked at: alerts stay as they are")
        return []
    messages = alerts.took_over(case, report.version, now_us) if is_served else []
    found = alerts_of(report, spec, links)
    heard = alerts.clear(case, None, "silent", now_us, "somebody has looked again")
    messages += [] if heard is None else [heard]
    return [*messages, *alerts.after_look(case, report.version, found, measured(report, spec), now_us)]


def _links(context: Context, page: Path, run_id: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """What can be opened: addresses where there are some, else paths of this checkout."""
    links, pages = {"report": context.shown(page), **more}, context.settings.mlflow_pages
    if run_id is not None and pages:
        links["MLflow run"] = f"{pages}/#/experiments/{context.tracker.experiment_id}/runs/{run_id}"
    return links
