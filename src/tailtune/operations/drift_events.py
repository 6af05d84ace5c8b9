"""When automations are told of drift: only of what is new.

New is drift that was not there before, that is worse, or since which people have labelled more. While it goes on it is
said once a day, so that an event that was lost is made up for. Saying it at each look would start a retrain each time
that decides that nothing is new.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.alerts import Alert
from tailtune.core.digests import file_digest
from tailtune.core.monitored import MonitorReport
from tailtune.services import versions
from tailtune.services.monitored_days import DriftEvent, MonitoredDays
from tailtune.services.outbox import rules
from tailtune.services.prediction_log.opening import opened
from tailtune.tasks.use_case import load_use_case

DAILY_US = 20 * rules.HOUR_US
"""After so long it is said again: less than a day, as the next nightly look may come a little early."""


def tell_of_drift(
    paths: Paths,
    settings: Settings,
    report: MonitorReport,
    emit: Callable[[str], object],
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> None:
    """Tell automations of drift that a look found, if that is news.

    Args:
        paths: The checkout.
        settings: Where stores are.
        report: The look.
        emit: Is called with the reason; what it raises is raised, and the next look tries again.
        clock: Microseconds since 1970 (UTC).

    Raises:
        ServiceError: The database does not answer.
    """
    with closing(MonitoredDays(settings.prediction_log_url(paths))) as kept:
        if not report.drifted:
            kept.forget_event(report.use_case, report.version)
            return
        alert = next((each for each in report.alerts if each.cause == "drift"), None)
        labels, now_us = labels_digest(paths, settings, report.use_case), clock()
        last = kept.last_event(report.use_case, report.version)
        why = news(last, alert, labels, now_us)
        if not why:
            return
        emit(why)
        before = last or DriftEvent(now_us, "warning", 1.0, labels)
        severity, size = (before.severity, before.size) if alert is None else (alert.severity, alert.size)
        kept.keep_event(report.use_case, report.version, DriftEvent(now_us, severity, size, labels))


def news(last: DriftEvent | None, alert: Alert | None, labels: str, now_us: int) -> str:
    """Why automations are told; empty where they know all of it.

    Args:
        last: What they were told last; None where nothing since drift began.
        alert: Of the drift that was found; None where the look raised none about it.
        labels: Digest of what people have labelled.
        now_us: Now.
    """
    if last is None:
        return "drift was not there before"
    known = rules.Known("alert", last.severity, last.size, last.at_us)
    if alert is not None and rules.is_worse(known, alert):
        return "drift is worse"
    if labels != last.labels:
        return "people have labelled more since"
    return "a day has passed since" if abs(now_us - last.at_us) >= DAILY_US else ""


def labels_digest(paths: Paths, settings: Settings, use_case: str) -> str:
    """Another one says that people have labelled, accepted or pinned something since.

    Raises:
        ServiceError: The prediction log does not answer.
    """
    case = load_use_case(paths, use_case)
    files = [case.answers_file, *case.paths.by_people]
    seen = [str(versions.data_hash(paths)), *(file_digest(file) if file.is_file() else "" for file in files)]
    folder = case.spec.retrain.labels_from
    if folder is not None and (paths.root / folder).is_dir():
        there = sorted((paths.root / folder).iterdir())
        seen += [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in there]
    with opened(paths, settings, use_case) as log:
        sent = [] if log is None else log.feedback(use_case)
    seen += [f"{len(sent)} {max((each.id for each in sent), default=0)}"]
    return hashlib.sha256("\x1f".join(seen).encode("utf-8", "surrogatepass")).hexdigest()[:16]
