"""The prediction log in a terminal: where the answered rows are, how many a day, and the last of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.days import shown
from tailtune.core.logged import Comparison, DayCount, LogCounts
from tailtune.report.numbers import count, counted, milliseconds, points_with_interval, share, usd, with_interval
from tailtune.report.terminal.drawing import Whole, heading

_NOTHING = "–"
_WIDE = 110


@dataclass(frozen=True)
class LogView:
    """One per look at the log.

    Attributes:
        use_case: Whose.
        counts: Where its answered rows are.
        days: Rows by day, version and route, oldest day first.
        not_logged: Day since 1970 → rows answered and not logged.
        last: The newest rows, newest first.
        address: Of the store, without its password.
        size_bytes: Room that the store takes.
        keep_days: Days after which rows are deleted.
        compared: Challengers beside the versions that answered.
    """

    use_case: str
    counts: LogCounts
    days: Sequence[DayCount]
    not_logged: Mapping[int, int]
    last: Sequence[Mapping[str, Any]]
    address: str
    size_bytes: int
    keep_days: int
    compared: Sequence[Comparison] = ()


def logged(view: LogView) -> RenderableType:
    """The log of a use case, as wide as the terminal."""
    return Whole(_Logged(view))


@dataclass(frozen=True)
class _Logged:
    view: LogView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view, width = self.view, min(options.max_width, 140)
        parts: list[RenderableType] = [heading("Prediction log", f"{view.use_case}: {_where(view.counts)}")]
        if view.days or view.not_logged:
            parts += [Padding(_days(view), (0, 0, 1, 2))]
            parts += list(_shadow(view.compared))
            parts += [heading("Last answers", "times are UTC")]
        parts += [Padding(_last(view.last, width), (0, 0, 1, 2))] if view.last else []
        size = f"{view.size_bytes / 1e6:,.1f} MB"
        parts.append(Text(f"{view.address}  {size}; rows are deleted after {counted(view.keep_days, 'day')}", "dim"))
        yield from console.render(Group(*parts), options.update(width=width))


def _where(counts: LogCounts) -> str:
    """`1,204 rows answered: 1,200 stored · 3 in the spool · 1 not logged`."""
    places = [f"{count(counts.stored)} stored"]
    places += [f"{count(counts.spooled)} in the spool"] if counts.spooled else []
    places += [f"{count(counts.not_logged)} not logged"] if counts.not_logged else []
    torn = f"; {counted(counts.torn, 'torn line')}" if counts.torn else ""
    return f"{counted(counts.answered, 'row')} answered: {' · '.join(places)}{torn}"


def _days(view: LogView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("day", "answered by", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "no answer", "mean ms", "US dollars"):
        table.add_column(name, justify="right", no_wrap=True)
    before = None
    for cells in sorted([*map(_day, view.days), *_gaps(view.not_logged)], key=lambda cells: cells[0]):
        table.add_row("" if cells[0] == before else cells[0], *cells[1:])
        before = cells[0]
    return table


def _shadow(compared: Sequence[Comparison]) -> Iterator[RenderableType]:
    """How challengers compare with the versions that answered; 95 % intervals."""
    if not compared:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    names = ("challenger", "champion", "rows", "same answer", "judged", "champion right")
    for name in (*names, "challenger right", "difference"):
        table.add_column(name, justify="left" if name in ("challenger", "champion") else "right", overflow="fold")
    for each in compared:
        counts, judged = each.counts, (each.champion, each.challenger)
        table.add_row(
            f"v{counts.challenger}",
            f"v{counts.champion}",
            count(counts.rows),
            with_interval(each.agreement),
            count(len(counts.judged)) if counts.judged else _NOTHING,
            *(_NOTHING if estimate is None else with_interval(estimate) for estimate in judged),
            _NOTHING if each.gained is None else points_with_interval(each.gained),
        )
    yield heading(
        "In the shadow", "the challenger answered the same rows, unseen; judged: people sent the right answer"
    )
    yield Padding(table, (0, 0, 1, 2))


def _day(found: DayCount) -> tuple[str, ...]:
    dollars = _NOTHING if not found.usd and not found.unpriced else usd(found.usd) + (" + ?" if found.unpriced else "")
    return (
        shown(found.day),
        found.route,
        _NOTHING if found.version is None else f"v{found.version}",
        count(found.rows),
        count(found.unanswered) if found.unanswered else _NOTHING,
        _NOTHING if found.mean_ms is None else milliseconds(found.mean_ms),
        dollars,
    )


def _gaps(not_logged: Mapping[int, int]) -> Iterator[tuple[str, ...]]:
    """Lines of days on which rows were answered and not logged."""
    for day, rows in not_logged.items():
        yield (shown(day), "not logged", _NOTHING, count(rows), _NOTHING, _NOTHING, _NOTHING)


def _last(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    """The rows; request ids whole, for feedback, where there is room."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("time", no_wrap=True)
    table.add_column("by", no_wrap=True)
    table.add_column("request", no_wrap=True, max_width=None if width >= _WIDE else 12)
    table.add_column("answer", overflow="ellipsis", no_wrap=True, ratio=2, style="bold")
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("text", overflow="ellipsis", no_wrap=True, ratio=3)
    for row in rows:
        at = datetime.fromtimestamp(row["at_us"] / 1e6, UTC)
        by = row["route"] if row["version"] is None else f"{row['route']} v{row['version']}"
        sure = row["confidence"]
        latency = math.nan if row["latency_ms"] is None else row["latency_ms"]
        table.add_row(
            f"{at:%m-%d %H:%M:%S}",
            by,
            Text(row["request_id"], overflow="ellipsis"),
            Text(" ".join((row["answer"] or "no answer").split())),
            _NOTHING if sure is None else share(sure),
            milliseconds(latency),
            _text(row),
        )
    return table


def _text(row: Mapping[str, Any]) -> Text:
    if row["text"] is not None:
        return Text(" ".join(row["text"].split()))
    return Text("hash " + row["text_hash"][:12] if row["text_hash"] else "not kept", "dim")
