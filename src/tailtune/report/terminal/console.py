"""The terminal that tables and progress are drawn on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from tailtune.core.printable import printable
from tailtune.report.numbers import unbroken

_GLUE = "\ue000"  # rich breaks lines at every space that Unicode has; this is as wide, and none


class PrintableConsole(Console):
    """A console on which no text of data, stores or servers acts as a control sequence, and a number keeps its %."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is drawn, control characters in its texts spelt out; those that rich itself sends stay."""
        if isinstance(renderable, str):
            how = options or self.options
            renderable = self.render_str(renderable, highlight=how.highlight, markup=how.markup)
        if isinstance(renderable, Text):
            renderable = renderable.copy()
            renderable.plain = unbroken(renderable.plain, _GLUE)
        for segment in super().render(renderable, options):
            text: Any = segment.text
            yield segment if segment.control else segment._replace(text=printable(text.replace(_GLUE, " ")))
