"""What the summary is drawn with: whiskers in a terminal cell, headings, and a fallback for ASCII terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from tailtune.core.records import Estimate
from tailtune.report.numbers import Scale
from tailtune.report.sections import Fact

TARGET, DOT, LINE_TO_BEAT = "┊", "●", "○"
_ASCII = str.maketrans("│┊┿─━├┤●○◂▸▪█▌✓✗→≥≤×·–−…±", "|:|--[]*o<>##|+x>><x.--.~")


@dataclass(frozen=True)
class Whisker:
    """One per table cell: an estimate as a dot with its interval, and the target as a dotted line."""

    estimate: Estimate
    scale: Scale
    target: float | None = None
    style: str = ""
    mark: str = DOT

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, options.max_width), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.drawn(options.max_width)

    def drawn(self, width: int) -> Text:
        """The cell, `width` characters wide."""
        cells, styles = [" "] * width, [""] * width
        aim = None if self.target is None else self._cell(self.target, width)
        if aim is not None and 0 <= aim < width:
            cells[aim], styles[aim] = TARGET, "dim"
        if self.estimate.value == self.estimate.value and width > 0:
            self._interval(cells, styles, width)
            dot = self._cell(self.estimate.value, width)
            cells[max(dot, 0)] = self.mark if dot >= 0 else "◂"
            styles[max(dot, 0)] = self.style if dot >= 0 else "dim"
        return Text.assemble(*zip(cells, styles, strict=True), no_wrap=True)

    def _cell(self, value: float, width: int) -> int:
        return round(self.scale.place(value) * (width - 1))

    def _interval(self, cells: list[str], styles: list[str], width: int) -> None:
        if self.estimate.low != self.estimate.low or self.estimate.high != self.estimate.high:
            return
        first, last = self._cell(self.estimate.low, width), self._cell(self.estimate.high, width)
        for place in range(max(first, 0), min(last, width - 1) + 1):
            end = "├" if place == first else "┤" if place == last else "─"
            cells[place] = "┿" if cells[place] == TARGET else end
            styles[place] = self.style


@dataclass(frozen=True)
class Axis:
    """One per whisker column: its ends, as the column's heading."""

    scale: Scale

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, options.max_width), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        low, high = f"{self.scale.low * 100:.0f}", f"{self.scale.high * 100:.0f} %"
        yield Text(low + high.rjust(options.max_width - len(low)), style="dim", no_wrap=True)


@dataclass(frozen=True)
class Whole:
    """One per summary: any renderable without trailing blanks, and in ASCII where the terminal knows no more."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in Segment.split_lines(console.render(self.content, options)):
            while line and not line[-1].text.strip() and not line[-1].control:
                line.pop()
            if line:
                text, style, control = line[-1]
                line[-1] = Segment(text.rstrip(), style, control)
            for text, style, control in line:
                yield Segment(_in_ascii(text) if options.ascii_only else text, style, control)
            yield Segment.line()


def _in_ascii(text: str) -> str:
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def heading(name: str, note: str = "") -> Rule:
    """A line that opens a section: its name, and what to know before reading it."""
    title = Text.assemble((name, "bold cyan"), ("  " + note if note else "", "default not bold"))
    return Rule(title, align="left", style="dim cyan")


def continued(command: str, room: int) -> str:
    """A command over as many lines as it needs, broken before its options, so that a shell reads on."""
    lines = [""]
    for word in re.split(r" (?=-)", command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > room:
            lines.append("  " + word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return " \\\n".join(lines)


_TONES = {"": "bold", "good": "bold green", "wait": "yellow", "bad": "bold red"}


def facts(shown: Sequence[Fact]) -> Iterator[RenderableType]:
    """Prose, and under it named facts whose texts stand under each other; group by group."""
    for _, group in groupby(shown, key=lambda fact: fact.group):
        there = list(group)
        for fact in there:
            if not fact.name:
                yield Padding(_text(fact), (0, 0, 0, 2 + fact.indent))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for fact in there:
            if fact.name:
                grid.add_row(
                    Text(fact.name.rstrip() or fact.name, _TONES[fact.tone] if not fact.lead and fact.tone else ""),
                    _text(fact),
                )
        if grid.rows:
            yield Padding(grid, (0, 0, 0, 2))


def _text(fact: Fact) -> Text:
    plain = fact.tone if not fact.name and not fact.lead else ""
    return Text.assemble((fact.lead, _TONES[fact.tone]), (fact.text, _TONES[plain] if plain else ""))
