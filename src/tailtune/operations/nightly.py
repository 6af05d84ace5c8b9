"""One look from beginning to end: looked, drawn, told to MLflow, alerts raised or cleared and sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError
from tailtune.core.monitored import MonitorReport
from tailtune.core.progress import Progress
from tailtune.lifecycle.context import Context
from tailtune.operations.monitor import look_at_file, look_at_log
from tailtune.operations.publishing import page_of, publish
from tailtune.operations.windows import Window
from tailtune.services.meter import Meter
from tailtune.services.mlflow import connect
from tailtune.tasks.use_case import load_use_case


@dataclass(frozen=True)
class Asked:
    """One per look.

    Attributes:
        window: Whole days, as `Window.parse` reads them.
        version: Alias or number; that which is served when None.
        texts: Of a file that is looked at instead of the log.
        source: How the report names that file.
    """

    window: str = "1d"
    version: str | None = None
    texts: tuple[str, ...] | None = None
    source: str = ""


@dataclass(frozen=True)
class Looked:
    """One per look.

    Attributes:
        report: What was seen.
        page: Its page.
        run_id: Of its run in MLflow; None where MLflow did not answer.
    """

    report: MonitorReport
    page: Path
    run_id: str | None


def watch(paths: Paths, settings: Settings, use_case: str, asked: Asked, progress: Progress) -> Looked:
    """Look at a use case's version.

    Raises:
        UsageError: There is no such version or window, or nothing was logged.
        MissingInputError: The version has no reference, and none can be made here.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    case, meter = load_use_case(paths, use_case), Meter()
    tracker = connect(settings.resolved_tracking_uri(paths), case)
    context = Context(case, settings, progress, tracker, "monitor")
    which = asked.version or case.spec.serve.alias
    if asked.texts is None:
        report = look_at_log(context, which, Window.parse(asked.window))
    else:
        report = look_at_file(context, which, asked.texts, asked.source)
    report = report.model_copy(update={"cost": meter.cost(load_prices(paths).machine_hour_usd)})
    page = page_of(context, report)
    try:
        run_id = publish(context, report, page)
    except ServiceError as error:
        progress.say(f"not in MLflow: {error.message}")
        run_id = None
    return Looked(report, page, run_id)
