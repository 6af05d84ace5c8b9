"""The terminal that tables and progress are drawn on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tailtune.core.printable import printable


class PrintableConsole(Console):
    """A console on which no text of data, stores or servers acts as a control sequence."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is drawn, control characters in its texts spelt out; those that rich itself sends stay."""
        for segment in super().render(renderable, options):
            text: Any = segment.text
            yield segment if segment.control else segment._replace(text=printable(text))
