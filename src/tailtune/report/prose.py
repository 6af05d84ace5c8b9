"""What the summary's sections are made of: a name, a note, tables, and facts that stand under each other."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Section:
    """One per part of the summary."""

    name: str
    note: str
    parts: tuple[RenderableType, ...]


Line = Text | str | tuple[str | Text, Text | str] | None


def lines(*told: Line) -> tuple[RenderableType, ...]:
    """Prose, and facts as (name, text) whose texts stand under each other; None is nothing."""
    facts = [line for line in told if isinstance(line, tuple)]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, text in facts:
        grid.add_row(name, Text(text) if isinstance(text, str) else text)
    prose: list[RenderableType] = [
        Text(line) if isinstance(line, str) else line for line in told if line and not isinstance(line, tuple)
    ]
    shown = [*prose, grid] if facts else prose
    return tuple(Padding(part, (0, 0, 0, 2)) for part in shown)
