"""A monitor that stays silent is trouble too: answers of days that nobody has looked at."""

from __future__ import annotations

from contextlib import closing

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.alerts import Alert, Message
from tailtune.core.days import DAY_US, day_of, shown
from tailtune.core.errors import SpecError
from tailtune.operations.alerts import Alerts
from tailtune.services.monitored_days import MonitoredDays
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.tasks.use_case import UseCase, load_use_case

_HOUR_US = 3_600_000_000
_CRITICAL_DAYS = 7


def check_silence(
    paths: Paths, settings: Settings, alerts: Alerts, now_us: int, hours: float | None = None
) -> list[Message]:
    """Raise an alert for each use case that was watched once and is not any more; clear it where one looks again.

    Days that were looked at while a clock was ahead do not count.

    Args:
        paths: The checkout.
        settings: Where the log is.
        alerts: Where alerts go.
        now_us: Now.
        hours: After the end of a day within which it should have been looked at; `monitor.alerts.silent_hours` of each
            use case when None.

    Returns:
        The messages that will be sent.

    Raises:
        ServiceError: The database does not answer.
    """
    url = settings.prediction_log_url(paths)
    log = PredictionLog.existing(url)
    if log is None:
        return []
    with closing(log), closing(MonitoredDays(url)) as looks:
        messages = [_check(case, log, looks, alerts, now_us, hours) for case in _cases(paths)]
    return [message for message in messages if message is not None]


def _cases(paths: Paths) -> list[UseCase]:
    """Every use case whose spec can be read; a look says what is wrong with the others."""
    cases = []
    for name in paths.use_cases():
        try:
            cases.append(load_use_case(paths, name))
        except SpecError:
            continue
    return cases


def _check(
    case: UseCase, log: PredictionLog, looks: MonitoredDays, alerts: Alerts, now_us: int, hours: float | None
) -> Message | None:
    last = looks.last_whole_look(case.name, until=day_of(now_us))
    if last is None:
        return None  # nobody watches it, so nobody is missed
    grace_us = (case.spec.monitor.alerts.silent_hours if hours is None else hours) * _HOUR_US
    since, until = last + 1, int((now_us - grace_us) // DAY_US)
    rows = log.rows(case.name, since_us=since * DAY_US, until_us=until * DAY_US, columns=("at_us",), batch_rows=1)
    first = next(rows, None) if since < until else None
    if first is None:
        return alerts.clear(case, None, "silent", now_us, "no day with answers is left that nobody has looked at")
    first_day = int(first["at_us"]) // DAY_US
    days = until - first_day
    return alerts.raise_alert(
        case,
        Alert(
            use_case=case.name,
            version=None,
            cause="silent",
            severity="critical" if days >= _CRITICAL_DAYS else "warning",
            at_us=now_us,
            title=f"{case.name}: the monitor is silent",
            moved=(f"{shown(last)} was looked at; nobody has looked at answers from {shown(first_day)} on.",),
            next_step="start what runs the looks again, if it is down (tailtune up, or the team's worker), then: "
            f"tailtune monitor {case.name} --window {max(1, days)}d",
            size=max(days, 1),
        ),
    )
