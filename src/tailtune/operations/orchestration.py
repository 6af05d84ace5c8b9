"""Looks and retrains as Prefect shows them: a task for each use case, artifacts, and events that automations hear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError, TailTuneError
from tailtune.core.monitored import MonitorReport
from tailtune.core.printable import printable
from tailtune.core.process import in_order_at_sigterm
from tailtune.core.retrains import Because, way_in_of
from tailtune.lifecycle.orchestration import Completed, State, flow, show_in_prefect, uncached_task
from tailtune.operations import silence
from tailtune.operations.alerts import open_alerts
from tailtune.operations.drift_events import tell_of_drift
from tailtune.operations.nightly import LookOptions, watch
from tailtune.operations.retrain import run as retraining
from tailtune.report.monitoring import headline
from tailtune.report.prefect import publish_look, publish_retrain
from tailtune.report.retraining import decision_lines, outcome_lines
from tailtune.report.terminal.progress import ConsoleProgress
from tailtune.services.mlflow import connect, registry
from tailtune.services.prediction_log.opening import opened
from tailtune.tasks.use_case import load_use_case

__all__ = ["check_silence", "flow", "look_at_all", "retrain_all"]

LOOKED, DETECTED, CLEARED = "monitor.looked", "drift.detected", "drift.cleared"
"""Events on the resource `model.<use case>`: a look was taken; it found drift that is news; it found none."""


def look_at_all(use_case: str | None, window: str) -> State[None]:
    """Look at one use case, or at every one whose answers are logged; one that fails holds up no other.

    Returns:
        The state of the run, whose message says what was seen.

    Raises:
        TailTuneError: Looks failed; all others were taken.
    """
    names = [use_case] if use_case else _logged(Paths.find())
    return _each(
        names, lambda name: look(name, window), "tailtune monitor USE-CASE   (says what is wrong, and what to run)"
    )


def retrain_all(use_case: str | None, because: str) -> State[None]:
    """Retrain one use case, or every one that has a version, where that is worth it; one that fails holds up no other.

    Returns:
        The state of the run, whose message says whether a retrain was worth it, and what came of it.

    Raises:
        UsageError: No such way in.
        TailTuneError: Retrains failed; all others have ended.
    """
    way_in = way_in_of(because)
    names = [use_case] if use_case else _registered(Paths.find())
    return _each(names, lambda name: retrain(name, way_in), "tailtune retrain USE-CASE   (says what is wrong)")


def _each(names: Iterable[str], work: Callable[[str], object], hint: str) -> State[None]:
    """Do something for each use case, then say of all together what failed."""
    failed, ended = list[str](), list[str]()
    for name in names:
        try:
            ended.append(str(getattr(work(name), "message", None) or name))
        except TailTuneError as error:
            failed.append(f"{name}: {error.message}")
    if failed:
        raise TailTuneError("; ".join(failed), hint)
    return Completed(message="; ".join(ended) or "no use case has come so far")


def _registered(paths: Paths) -> list[str]:
    """Use cases that have a version."""
    uri, found = Settings().resolved_tracking_uri(paths), []
    for name in paths.use_cases():
        case = load_use_case(paths, name)
        if registry.versions(connect(uri, case), case.model):
            found.append(name)
    return found


def _logged(paths: Paths) -> list[str]:
    """Use cases that servers have answered for."""
    found = []
    for name in paths.use_cases():
        with opened(paths, Settings(), name) as log:
            if log is not None and log.last(name, 1, ("at_us",)):
                found.append(name)
    return found


@uncached_task("who has not been looked at")
def check_silence(hours: float) -> None:
    """Tell people of use cases whose monitor is silent.

    Raises:
        ServiceError: The database does not answer.
    """
    paths, settings = Paths.find(), Settings()
    with open_alerts(paths, settings) as alerts:
        silence.check_silence(paths, settings, alerts, time.time_ns() // 1000, hours)
        alerts.deliver()


@uncached_task("look at {use_case}")
def look(use_case: str, window: str) -> State[None]:
    """Look at a use case's version, publish what was seen, and tell automations."""
    paths, settings = Paths.find(), Settings()
    with ConsoleProgress("monitor", f"look at what {use_case} answered", settings.progress) as progress:
        looked = watch(paths, settings, use_case, LookOptions(window, links=_flow_run()), progress)
    show_in_prefect(lambda: publish_look(looked.report))
    show_in_prefect(lambda: _tell(paths, settings, looked.report))
    top = headline(looked.report)
    return Completed(message=f"{use_case}: {top.title}. {top.why}")


@uncached_task("retrain {use_case}")
def retrain(use_case: str, because: Because) -> State[None]:
    """Retrain a use case where that is worth it, and publish the reckoning and what came of it."""
    paths, settings = Paths.find(), Settings()
    with (
        in_order_at_sigterm(),  # Prefect's own handler would leave the life to itself
        ConsoleProgress("retrain", f"make {use_case} anew, if that is worth it", settings.progress) as progress,
    ):
        try:
            done = retraining.retrain(paths, settings, use_case, because, progress)
        except BusyError as busy:  # two ways in at once; the one that is at work takes in all that is new
            return Completed(name="Skipped", message=f"{use_case}: skipped: {busy.message}")
    lines = [*decision_lines(use_case, done.decision), *(outcome_lines(done.outcome) if done.outcome else ())]
    print("\n".join(map(printable, lines)), flush=True)
    show_in_prefect(lambda: publish_retrain(use_case, lines))
    return Completed(message=lines[0] if done.outcome is None else outcome_lines(done.outcome)[0])


def _tell(paths: Paths, settings: Settings, report: MonitorReport) -> None:
    """Tell automations of a look, and of drift where that is news."""
    from prefect.events import emit_event

    resource = {"prefect.resource.id": f"model.{report.use_case}", "prefect.resource.name": report.use_case}
    best = report.best_known
    payload = {
        "use_case": report.use_case,
        "version": report.version,
        "evidence": report.evidence,
        "accuracy": None if best is None or best.accuracy is None else best.accuracy.value,
        "rows": report.rows,
    }
    for event in (LOOKED, *(() if report.drifted else (CLEARED,))):
        emit_event(event=event, resource=resource, payload=payload)
    tell_of_drift(
        paths,
        settings,
        report,
        lambda why: emit_event(event=DETECTED, resource=resource, payload={**payload, "why": why}),
    )


def _flow_run() -> dict[str, str]:
    """The address of this flow run in Prefect's UI; none without a server that has one."""
    from prefect.runtime import flow_run

    address = flow_run.ui_url
    return {"Prefect flow run": str(address)} if address else {}
