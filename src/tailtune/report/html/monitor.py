"""The monitor's page: one HTML file that an on-call engineer reads without a network, on paper or on a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from tailtune import __version__
from tailtune.core.days import shown
from tailtune.core.monitored import MonitorReport, WatchedDay
from tailtune.core.records import Estimate
from tailtune.report import monitoring
from tailtune.report.html.charts.days import DayValue, over_days
from tailtune.report.html.charts.sheet import STYLE, Picture
from tailtune.report.html.page import environment
from tailtune.report.monitor_runs import MOST_EVIDENCE
from tailtune.report.numbers import count, share


def render(report: MonitorReport) -> str:
    """The page of a look.

    Returns:
        One self-contained HTML document: no script, and nothing loaded from anywhere.
    """
    return (
        environment()
        .get_template("monitor.html.j2")
        .render(
            report=report,
            head=monitoring.headline(report),
            words=monitoring,
            shown=shown,
            pictures=_pictures(report),
            chart_style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 - our own file
            program=f"TailTune {__version__}",
        )
    )


def _pictures(report: MonitorReport) -> list[Picture]:
    """Evidence, estimated accuracy, p99 and rows over days, of those with two days or more."""
    days, then = report.days, report.then
    limit = None if then is None else (then.value, f"measured at registration {share(then.value)}")
    made = (
        over_days("Evidence of drift", _names(days), _values(days, _evidence), _short, (1.0, "alarm")),
        over_days(
            "Right, estimated without labels", _names(days), _values(days, _accuracy), _percent, limit, from_zero=False
        ),
        over_days("Slowest answer in a hundred, ms", _names(days), _values(days, _p99), lambda value: f"{value:g}"),
        over_days("Rows answered", _names(days), _values(days, _rows), lambda value: count(round(value))),
    )
    return [picture for picture in made if picture is not None]


def _names(days: Sequence[WatchedDay]) -> list[str]:
    return [shown(each.day) if each.figures.is_over else f"{shown(each.day)} so far" for each in days]


def _values(days: Sequence[WatchedDay], figure: Callable[[WatchedDay], Estimate | float | None]) -> list[DayValue]:
    made = []
    for place, each in enumerate(days):
        value = figure(each)
        if isinstance(value, Estimate):
            made.append(DayValue(place, value.value, value.low, value.high))
        elif value is not None:
            made.append(DayValue(place, value, value, value))
    return made


def _evidence(day: WatchedDay) -> float | None:
    return None if day.evidence is None else min(day.evidence, MOST_EVIDENCE)


def _accuracy(day: WatchedDay) -> Estimate | None:
    return day.figures.accuracy


def _p99(day: WatchedDay) -> float | None:
    return day.figures.p99_ms


def _rows(day: WatchedDay) -> float:
    return float(day.figures.rows)


def _short(value: float) -> str:
    return f"{value:g}"


def _percent(value: float) -> str:
    return f"{value * 100:g} %"
