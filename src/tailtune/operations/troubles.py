"""What a look found, as alerts: one for each cause that people would act on differently."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tailtune.config.monitoring import MonitorSpec
from tailtune.core.alerts import Alert, Cause, Severity
from tailtune.core.days import DAY_US, moment_us, shown, span
from tailtune.core.monitored import ANSWER, LATENCY, Finding, MonitorReport, WatchedDay
from tailtune.core.records import Estimate
from tailtune.operations.accuracy import over_days
from tailtune.operations.windows import TODAY
from tailtune.report import monitoring
from tailtune.report.numbers import share, usd, with_interval

_LEAST = 1e-6
_MUCH_WORSE = 5
"""Times the most that is allowed, from which on slow or unanswered rows, or what a day costs, are critical."""


def alerts_of(report: MonitorReport, spec: MonitorSpec, links: Mapping[str, str]) -> list[Alert]:
    """The alerts of a look, the gravest first.

    Args:
        report: The look.
        spec: What is declared of the monitor.
        links: What can be opened: name → address.
    """
    found: list[Alert | None] = [
        _accuracy(report, spec),
        _drift(report, _fallen(report, spec)),
        _limited(report, "errors", ANSWER, "rows without an answer"),
        _limited(report, "latency", LATENCY, "slow answers"),
        _cost(report, spec),
    ]
    return [alert.model_copy(update={"links": dict(links)}) for alert in found if alert is not None]


def measured(report: MonitorReport, spec: MonitorSpec) -> frozenset[Cause]:
    """Causes that the look could see; what it could not see stays as it is known."""
    causes: set[Cause] = set()
    if report.rows_read and report.evidence is not None:
        causes.add("drift")
    causes |= {"accuracy"} if _audited(report) is not None else set()
    causes |= {"errors"} if _limit(report, ANSWER) else set()
    causes |= {"latency"} if _limit(report, LATENCY) else set()
    causes |= {"cost"} if spec.usd_per_day is not None and report.rows else set()
    return frozenset(causes)


def _limit(report: MonitorReport, measure: str) -> Finding | None:
    """The finding about a share that must not be exceeded."""
    return next((each for each in report.findings if each.measure == measure and each.is_limit), None)


def _alert(
    report: MonitorReport,
    cause: Cause,
    severity: Severity,
    title: str,
    size: float,
    moved: Sequence[str] = (),
    next_step: str = "",
    sure_size: float | None = None,
) -> Alert:
    best = report.best_known
    return Alert(
        use_case=report.use_case,
        version=report.version,
        cause=cause,
        severity=severity,
        at_us=(report.last_day + 1) * DAY_US if report.is_over else moment_us(report.made_at),
        title=f"{report.model} v{report.version}: {title}",
        moved=tuple(moved),
        accuracy=None if best is None else best.accuracy,
        accuracy_by="" if best is None else best.note,
        examples=tuple(row.text for row in report.examples[:2]),
        next_step=next_step,
        so_far=not report.is_over,
        size=max(size, _LEAST),
        sure_size=None if sure_size is None else max(sure_size, _LEAST),
    )


def _drift(report: MonitorReport, fallen: bool) -> Alert | None:
    """Drift, less what limits on time and answers found: these have alerts of their own."""
    limited = sum(found.evidence for measure in (ANSWER, LATENCY) if (found := _limit(report, measure)))
    if report.evidence is None or report.evidence - limited < 1:
        return None
    telling = monitoring.telling(report)
    size = _moved_by([abs(each.difference.value) for each in telling])
    # What a few rows show is soon half as large again by chance.
    surely = _moved_by([min(abs(each.difference.low), abs(each.difference.high)) for each in telling])
    title = monitoring.headline(report).title
    window = span(report.first_day, report.last_day) if report.is_over else TODAY
    step = f"tailtune audit {report.use_case} --rows 50 --window {window}   says what it did to accuracy"
    severity: Severity = "critical" if fallen else "warning"
    title = title[:1].lower() + title[1:]
    return _alert(report, "drift", severity, title, size, monitoring.moved(report), step, surely)


def _moved_by(shares: Sequence[float]) -> float:
    """How much has moved: the root of the largest shift, in points, so that twice and a quarter as much is worse."""
    return math.sqrt(max(shares, default=0.01) * 100)


def _fallen(report: MonitorReport, spec: MonitorSpec) -> bool:
    """Whether accuracy has fallen by more than what matters: by an audit, else by all days since drift was found."""
    now = _audited(report) or _since_drift(report)
    return report.then is not None and now is not None and now.high < report.then.value - spec.accuracy_fall


def _audited(report: MonitorReport) -> Estimate | None:
    return next((each.accuracy for each in report.now if each.by == "audit" and each.accuracy is not None), None)


def _since_drift(report: MonitorReport) -> Estimate | None:
    """Accuracy estimated without labels over the days since the alarm; None where there is none."""
    first, then = report.alarm_day, report.then
    if first is None or then is None:
        return None
    return over_days([each.figures for each in report.days if each.day >= first], then)


def _accuracy(report: MonitorReport, spec: MonitorSpec) -> Alert | None:
    """What an audit shows. Estimates without labels are made of what drift is judged by, and say how grave that is."""
    now = _audited(report)
    if now is None or report.then is None or now.high >= report.then.value - spec.accuracy_fall:
        return None
    title = f"right on {with_interval(now)} of audited rows, {share(report.then.value)} when it was registered"
    size = max(1.0, (report.then.value - now.value) * 100)
    return _alert(
        report,
        "accuracy",
        "critical",
        title,
        size,
        monitoring.moved(report),
        f"see what there is to learn from, and whether it pays: tailtune retrain {report.use_case} --dry-run",
    )


def _limited(report: MonitorReport, cause: Cause, measure: str, what: str) -> Alert | None:
    found = _limit(report, measure)
    if found is None or not found.alarm:
        return None
    surely = found.window.low  # a few rows say little
    severity: Severity = "critical" if surely >= _MUCH_WORSE * found.reference.value else "warning"
    title = f"{what}: {share(found.window.value)} of rows; the limit is {share(found.reference.value)}"
    moved = [f"{monitoring.what(found)}: {monitoring.then_and_now(found)}."]
    size = found.window.value * 100
    step = f"see the server's /readyz and /metrics, and the last answers: tailtune log {report.use_case}"
    return _alert(report, cause, severity, title, size, moved, step, surely * 100)


def _cost(report: MonitorReport, spec: MonitorSpec) -> Alert | None:
    if spec.usd_per_day is None:
        return None
    dearest = max(_priced(report), key=lambda each: each.figures.usd, default=None)
    if dearest is None or dearest.figures.usd <= spec.usd_per_day:
        return None
    cost = dearest.figures.usd
    title = f"answers of {shown(dearest.day)} cost {usd(cost)}, more than {usd(spec.usd_per_day)} a day"
    severity: Severity = "critical" if cost >= _MUCH_WORSE * spec.usd_per_day else "warning"
    return _alert(report, "cost", severity, title, cost, (), "tailtune cost " + report.use_case)


def _priced(report: MonitorReport) -> list[WatchedDay]:
    """Days by whose cost a look judges: those of the window, and the day before one that is not over."""
    first = report.first_day if report.is_over else report.first_day - 1
    return [each for each in report.days if first <= each.day <= report.last_day]
