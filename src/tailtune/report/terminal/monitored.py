"""A look of the monitor in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.days import shown
from tailtune.core.monitored import Finding, MonitorReport
from tailtune.report import monitoring
from tailtune.report.numbers import count, milliseconds, points_with_interval, share, usd, with_interval
from tailtune.report.terminal.drawing import Whole, heading

_STYLE = {"good": "bold green", "wait": "bold yellow", "bad": "bold red"}
_DAYS, _FINDINGS, _TELLING = 10, 8, 0.01


def monitored(report: MonitorReport, page: str) -> RenderableType:
    """A look, as wide as the terminal.

    Args:
        report: The look.
        page: Where its page is.
    """
    head, subject = monitoring.headline(report), f"{report.model} v{report.version}, {monitoring.period(report)}"
    parts: list[RenderableType] = [
        Text.assemble((head.title, _STYLE[head.tone]), f"  {subject}"),
        Padding(Text(head.why), (0, 0, 1, 2)),
        heading("How often it is right", monitoring.measured_then(report)),
        Padding(_accuracy(report), (0, 0, 1, 2)),
    ]
    telling = [each for each in report.findings if each.evidence >= _TELLING]
    if telling:
        parts += [heading("What moved", "share of rows; evidence: 1 is an alarm")]
        parts += [Padding(_findings(telling), (0, 0, 1, 2))]
    if report.words:
        words = ", ".join(monitoring.word(each) for each in report.words)
        parts += [heading("Words", "share of texts"), Padding(Text(words), (0, 0, 1, 2))]
    if report.examples:
        parts += [heading("Rows that show it"), Padding(_examples(report), (0, 0, 1, 2))]
    if len(report.days) > 1:
        parts += [
            heading("Day by day", "times are UTC; right is estimated without labels"),
            Padding(_days(report), (0, 0, 1, 2)),
        ]
    parts += [heading("What this look cannot see")]
    parts += [Padding(Text(f"· {line}"), (0, 0, 0, 2)) for line in monitoring.not_seen(report)]
    parts += [Text(f"\nreport  {page}", "dim")]
    if report.alerts:
        parts += [Text(f"Next:  {report.alerts[0].next_step}")]
    return Whole(Group(*parts))


def _accuracy(report: MonitorReport) -> RenderableType:
    return Group(*(Text(f"now by {monitoring.accuracy(each)}") for each in report.now))


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=place >= left, overflow="fold")
    return table


def _findings(findings: Sequence[Finding]) -> Table:
    table = _table("rows", "before", "now", "difference", "evidence")
    for each in findings[:_FINDINGS]:
        style = "bold red" if each.alarm else ""
        cells = (monitoring.before(each), share(each.window.value), points_with_interval(each.difference))
        table.add_row(monitoring.what(each), *cells, monitoring.evidence(each.evidence), style=style)
    return table


def _examples(report: MonitorReport) -> Table:
    table = _table("text", "answer", "shows", left=3)
    for each in report.examples:
        text = each.text if len(each.text) <= 120 else f"{each.text[:119]}…"
        table.add_row(text, "none" if each.answer is None else each.answer[:40], each.shows)
    return table


def _days(report: MonitorReport) -> Table:
    table = _table("day", "rows", "evidence", "right", "p99 ms", "no answer", "USD")
    table.columns[0].no_wrap = True
    for each in report.days[-_DAYS:]:
        figures = each.figures
        table.add_row(
            shown(each.day) if figures.is_over else f"{shown(each.day)[-5:]} so far",
            count(figures.rows),
            monitoring.evidence(each.evidence),
            "–" if figures.accuracy is None else with_interval(figures.accuracy),
            "–" if figures.p99_ms is None else milliseconds(figures.p99_ms),
            count(figures.unanswered),
            "not known" if figures.unpriced else usd(figures.usd),
        )
    return table
