"""The summary's sections on prompted models and money. None where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.reports import DiagnoseReport, Economics, FailureClass, PromptReport
from tailtune.report.numbers import bounds, counted, dollars, p_value, points, share, usd
from tailtune.report.story import Story, time_sentences
from tailtune.report.terminal.drawing import Line, Section, lines
from tailtune.report.terminal.tables import prompts
from tailtune.report.verdict import over, saved, spent, unneeded, value_sentences

MOST = 3


def prompted(story: Story, width: int) -> Section | None:
    """Prompted rungs on the rows that were bought for them, what was saved, and where their time goes."""
    found = story.prompt
    if found is None or not (found.models or found.rungs or found.notes):
        return None
    target = story.decide.target if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    models = ", ".join(f"{name} ({role})" for name, role in found.models.items())
    table = (prompts(found.rungs, target, best, width),) if found.rungs else ()
    told = lines(
        *_compared(found),
        ("saved", saved(found)) if saved(found) else None,
        ("spent", spent(found)) if found.rungs else None,
        ("time", " ".join(time_sentences(story))) if time_sentences(story) else None,
        *(("not needed", f"{names}: {why}") for why, names in unneeded(found)),
        ("not measured", "; ".join(found.unmeasured)) if found.unmeasured else None,
        *(("note", note) for note in found.notes),
    )
    return Section("Prompts", models, (*table, *told))


def _compared(found: PromptReport) -> Iterator[Line]:
    best = next((rung for rung in found.rungs if rung.name == found.best), None)
    if best is None or best.comparison is None:
        return
    gap = best.comparison.difference
    p = best.comparison.mcnemar_p if best.p_adjusted is None else best.p_adjusted
    other = best.comparison.second
    told = f"{points(gap.value)} points ({points(gap.low)} to {points(gap.high)}) over {other}"
    yield ("best prompt", f"{best.title}: {told}, {p_value(p)} after correction")


def failures(story: Story, width: int) -> Section | None:
    """Whose fault the best prompt's failures are, and what to do about each kind."""
    found = story.diagnose
    if found is None or found.rung is None:
        return None
    note = f"{counted(found.failures, 'failure')} of {story.title(found.rung)} in {counted(found.rows, 'row')}"
    if not found.classes:
        return Section(
            "Failures", note, lines(("not measured", "; ".join(found.unmeasured)) if found.unmeasured else None)
        )
    parts = [part for one in found.classes for part in _class(one)]
    return Section("Failures", note, (*parts, *lines(*_mixed(found))))


def _class(one: FailureClass) -> tuple[RenderableType, ...]:
    """How many, whose fault, and under it what to do."""
    counted_rows = f"{one.rows:>5}  {share(one.share.value):>7} ({bounds(one.share)})"
    head = Text.assemble(counted_rows, (f"  {one.reason}", "bold"))
    head.append("" if one.fault in one.reason else f" ({one.fault})", "dim")
    return head, Padding(Text(one.action, "dim"), (0, 0, 0, 6))


def _mixed(found: DiagnoseReport) -> Iterator[Line]:
    if found.mixed_up:
        pairs = [f"{one.first} / {one.second} {one.rows}" for one in found.mixed_up[:MOST]]
        yield ("mixed up", " · ".join(pairs))
    if found.unmeasured:
        yield ("not measured", "; ".join(found.unmeasured))


def both_roads(story: Story, width: int) -> Section | None:
    """What each road costs to own, in a few lines."""
    found = story.verdict.economics if story.verdict else None
    if found is None:
        return None
    table = Padding(_roads(found), (0, 0, 0, 2))
    return Section("Both roads", over(found), (table, *lines(*value_sentences(found), *_unknown(found))))


def _roads(found: Economics) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("road", overflow="fold")
    for name in ("quality", "once", "a month", "1,000 requests", "in all"):
        table.add_column(name, justify="right", no_wrap=True)
    for road in found.candidates:
        quality = "n/a" if road.quality is None else share(road.quality)
        thousand = None if road.request_usd is None else road.request_usd * 1000
        figures = (dollars(road.one_off_usd), dollars(road.monthly_usd), usd(thousand))
        table.add_row(road.title, quality, *figures, Text(dollars(road.total_usd), "bold"))
    return table


def _unknown(found: Economics) -> Iterator[Line]:
    if found.unknown:
        yield ("not known", "; ".join(found.unknown))


def changes(told: Sequence[str]) -> Iterator[Line]:
    """What would change the verdict, the first few."""
    for place, sentence in enumerate(told[:MOST]):
        yield ("would change it" if place == 0 else "", sentence)
