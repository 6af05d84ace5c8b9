"""What a person sees at the end of `tailtune run` and in `tailtune show`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tailtune.core.reports import Report
from tailtune.report import sections
from tailtune.report.labels import labels
from tailtune.report.numbers import (
    when,
)
from tailtune.report.prompted import provisional_words
from tailtune.report.sections import Section
from tailtune.report.story import Story
from tailtune.report.terminal import tables
from tailtune.report.terminal.drawing import Whole, continued, facts, heading
from tailtune.report.verdict import Headline, headline

_TONES = {"good": "green", "wait": "yellow", "bad": "red"}


SECTIONS: tuple[tuple[Callable[[Story], Section | None], Callable[[Story, int], Iterable[RenderableType]]], ...] = (
    (sections.rows, tables.none),
    (sections.checks, tables.none),
    (sections.ladder, tables.ladder),
    (sections.prompts, tables.prompts),
    (sections.failures, tables.none),
    (labels, tables.none),
    (sections.decision, tables.none),
    (sections.training, tables.none),
    (sections.exported, tables.none),
    (sections.test, tables.test),
    (sections.side_by_side, tables.side_by_side),
    (sections.ownership, tables.ownership),
    (sections.registered, tables.none),
    (sections.bill, tables.bill),
)
"""What each section says, and the tables above it."""


@dataclass(frozen=True, slots=True)
class Links:
    """One per summary: where to look further, as a person would type or open it. Empty ones are not shown.

    Attributes:
        page: Path of the decision page, relative to the project root.
        ui: Command that opens MLflow's UI.
        show: Command that shows this summary again.
        serve: Command that serves the registered model.
        docs: Path of the validation's Data Docs.
        dropped: Path of the file with every dropped row.
        failures: Path of the file with every test row the winner got wrong.
        again: Command that goes on after a stop.
    """

    page: str = ""
    ui: str = ""
    show: str = ""
    serve: str = ""
    docs: str = ""
    dropped: str = ""
    failures: str = ""
    again: str = ""


def summary(reports: Mapping[str, Report], shown: Links, stopped: bool = False) -> RenderableType:
    """The whole story of a use case for a terminal, from rows to bill, of whatever reports there are.

    Args:
        reports: Stage name → report; any may be missing. Those of an earlier run are left out, see `Story.of`.
        shown: Where to look further.
        stopped: Whether a run has just ended badly: then there is no verdict, only where it stopped.

    Returns:
        A renderable that fits 80 columns and uses more where there are; works without colour and without Unicode.
    """
    return Whole(_Summary(Story.of(reports, stopped), shown))


@dataclass(frozen=True)
class _Summary:
    story: Story
    shown: Links

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 140)
        story = self.story
        body = () if story.old else _body(story, width)
        parts = [_head(story, self.shown.again), Text(), *body, *_further(self.shown, story, width)]
        yield from console.render(Group(*parts), options.update(width=width))


def _head(story: Story, again: str) -> RenderableType:
    verdict: Headline = headline(story)
    tone = _TONES[verdict.tone]
    title = Text(verdict.title, f"bold {tone}")
    if story.provisional:
        title.append("  provisional", "yellow not bold")
    doubt = [Text(f"Provisional: {words}", "yellow")] if (words := provisional_words(story)) else []
    next_ = [Text.assemble("Next:  ", (again, "bold"))] if again and verdict.tone == "bad" else []
    stamp = f" {when(story.finished_at)} " if story.finished_at and not story.old else None
    return Panel(
        Group(title, Text(verdict.why), *doubt, *next_),
        title=Text(f" {story.use_case or 'no reports'} ", "bold"),
        title_align="left",
        subtitle=Text(stamp, "dim") if stamp else None,
        subtitle_align="right",
        border_style=tone,
        padding=(0, 1),
    )


def _body(story: Story, width: int) -> Iterator[RenderableType]:
    for words, drawn in SECTIONS:
        section = words(story)
        if section is not None:
            yield heading(section.name, section.note)
            yield Padding(Group(*drawn(story, width), *facts(section.all_facts)), (0, 0, 1, 0))


def _further(shown: Links, story: Story, width: int) -> Iterator[RenderableType]:
    verdict = not (story.failed or story.stopped or story.left_out)
    lines = [
        ("go on after the correction" if story.failed else "go on from here", shown.again),
        ("decision page", shown.page if verdict and story.register else ""),
        ("compare runs in MLflow", shown.ui),
        ("this summary again", shown.show),
        ("serve the model", shown.serve if verdict and story.register else ""),
        ("what was validated", shown.docs if story.validate else ""),
        ("every dropped row", shown.dropped if story.curate else ""),
        ("every wrong answer", shown.failures if story.evaluate else ""),
    ]
    if not any(command for _, command in lines):
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    room = width - max(len(what) for what, command in lines if command) - 4
    for what, command in lines:
        if command:
            table.add_row(Text("  " + what, "dim"), Text(continued(command, room), "bold"))
    yield heading("Look further")
    yield table
