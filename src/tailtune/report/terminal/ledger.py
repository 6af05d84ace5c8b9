"""The ledger in a terminal: what each version cost and brought, and what each candidate costs to own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.ledger import Bill, Category, Ledger, Line
from tailtune.core.money import Usd
from tailtune.core.reports import CandidateCost, Economics
from tailtune.judge.economics import MONTH_DAYS
from tailtune.report.numbers import NOT_MEASURED, count, duration, points, share, title, usd
from tailtune.report.terminal.drawing import Whole, heading
from tailtune.report.verdict import over, value_sentences

_NOTHING = "–"
_FIRST_COLUMNS, _COLUMN = 28, 13


def ledger(found: Ledger, economics: Economics | None, note: str) -> RenderableType:
    """The ledger of a use case.

    Args:
        found: What its versions cost and brought.
        economics: What each candidate costs to own; None before a verdict, or without a declared volume.
        note: Where the same figures are drawn.

    Returns:
        A renderable that fits 80 columns; more versions are shown where there is room, the newest first to stay.
    """
    return Whole(_Ledger(found, economics, note))


@dataclass(frozen=True)
class _Ledger:
    found: Ledger
    economics: Economics | None
    note: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 140)
        parts: list[RenderableType] = [
            heading("Ledger", f"{self.found.use_case}: what each version cost, and what that brought"),
            Padding(_versions(self.found, width), (0, 0, 0 if self.found.notes else 1, 0)),
            *(Padding(Text(note, "dim"), (0, 0, 1, 2)) for note in self.found.notes),
            heading("Cost of ownership", "not calculated" if self.economics is None else over(self.economics)),
            Padding(_ownership(self.economics), (0, 0, 1, 2)),
        ]
        missing = [f"dollars of {what}" for what in self.found.unknown] + list(self.found.unmeasured)
        missing += [] if self.economics is None else list(self.economics.unknown)
        if missing:
            parts += [heading("Not known"), *(Text(f"  · {line}") for line in missing), Text()]
        parts.append(Text(self.note, "dim"))
        yield from console.render(Group(*parts), options.update(width=width))


def _versions(found: Ledger, width: int) -> Table:
    """Categories down, versions across; the oldest are added up as `before` when there is no room for all."""
    room = max(2, (width - _FIRST_COLUMNS) // _COLUMN)
    old, shown = list(found.bills[:-room]), list(found.bills[-room:])
    if old:
        old, shown = [*old, shown[0]], shown[1:]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  US dollars for", no_wrap=True)
    for name in (*(["before"] if old else []), *(_named(bill) for bill in shown), "all"):
        table.add_column(name, justify="right", no_wrap=True)

    def row(name: str, cell: Callable[[Line | None], str], category: Category | None = None, style: str = "") -> None:
        def line(bill: Bill | Ledger) -> Line | None:
            whole = bill.total if bill.lines else None
            return whole if category is None else bill.lines.get(category)

        before = [cell(_sum([line(bill) for bill in old]))] if old else []
        table.add_row("  " + name, *before, *(cell(line(bill)) for bill in shown), cell(line(found)), style=style)

    for category in found.lines:
        row(category, _dollars, category)
    row("all", _dollars, style="bold")
    if found.total.hours:
        row("a person's hours", lambda line: f"{line.hours:,.1f}" if line and line.hours else _NOTHING)
    if found.total.rows:
        row("rows labelled", lambda line: count(line.rows) if line and line.rows else _NOTHING)
    for name, cell in _brought(found.metric):
        if any(cell(bill) != _NOTHING for bill in shown):
            table.add_row("  " + name, *([""] if old else []), *(cell(bill) for bill in shown), "")
    return table


def _brought(metric: str) -> Sequence[tuple[str, Callable[[Bill], str]]]:
    return (
        (f"{title(metric)} on test", lambda bill: _NOTHING if bill.quality is None else share(bill.quality)),
        ("points gained", lambda bill: _NOTHING if bill.gained is None else points(bill.gained)),
        ("$ for a point gained", lambda bill: _NOTHING if bill.usd_per_point is None else usd(bill.usd_per_point)),
        ("until it was live", lambda bill: _NOTHING if bill.cycle_hours is None else _span(bill.cycle_hours)),
    )


def _span(hours: float) -> str:
    return duration(hours * 3600) if hours < 48 else f"{hours / 24:.1f} days"


def _named(bill: Bill) -> str:
    return "next" if bill.version is None else f"v{bill.version}"


def _sum(lines: Sequence[Line | None]) -> Line | None:
    there = [line for line in lines if line is not None]
    if not there:
        return None
    return Line(
        known_usd=sum(line.known_usd for line in there),
        unknown=sum(line.unknown for line in there),
        hours=sum(line.hours for line in there),
        rows=sum(line.rows for line in there),
    )


def _dollars(line: Line | None) -> str:
    """Dollars; a lower bound with a question mark where some are not known: there is no room for words."""
    if line is None:
        return _NOTHING
    if not line.unknown:
        return usd(line.known_usd)
    return f"{usd(line.known_usd)} + ?" if line.known_usd else "?"


def _ownership(economics: Economics | None) -> RenderableType:
    if economics is None:
        return Text("declare value.requests_per_day and value.error_usd in model.yaml, then decide again")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("candidate", overflow="fold", min_width=9)
    for name in ("quality", "once", "a month", "requests/month", "in all"):
        table.add_column(name, justify="right", no_wrap=True)
    for candidate in economics.candidates:
        quality = NOT_MEASURED if candidate.quality is None else share(candidate.quality)
        requests = _requests_usd(candidate, economics.requests_per_day)
        figures = (candidate.one_off_usd, candidate.monthly_usd, requests, candidate.total_usd)
        table.add_row(candidate.title, quality, *(usd(value) for value in figures))
    return Group(table, *(Text(line) for line in value_sentences(economics)))


def _requests_usd(candidate: CandidateCost, per_day: float | None) -> Usd | None:
    """What answering the declared volume costs in a month."""
    return None if candidate.request_usd is None or per_day is None else candidate.request_usd * per_day * MONTH_DAYS
