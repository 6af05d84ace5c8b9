"""What a person sees at the end of `tailtune run` and in `tailtune show`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan, nan

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tailtune.core.reports import CurateReport, ExpectationResult, Report
from tailtune.report.numbers import (
    count,
    counted,
    duration,
    of,
    p_value,
    plain,
    points_with_interval,
    right,
    share,
    title,
    usd,
    when,
    words,
)
from tailtune.report.story import Story
from tailtune.report.terminal.drawing import Line, Section, Whole, continued, heading, lines
from tailtune.report.terminal.prompting import both_roads, changes, failures, prompted
from tailtune.report.terminal.tables import costs, measures, predictors
from tailtune.report.verdict import VERDICTS, Headline, headline

_TONES = {"good": "green", "wait": "yellow", "bad": "red"}


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
    said: Headline = headline(story)
    tone = _TONES[said.tone]
    title = Text(said.title, f"bold {tone}")
    if story.provisional:
        title.append("  provisional", "yellow not bold")
    next_ = [Text.assemble("Next:  ", (again, "bold"))] if again and said.tone == "bad" else []
    stamp = f" {when(story.finished_at)} " if story.finished_at and not story.old else None
    return Panel(
        Group(title, Text(said.why), *next_),
        title=Text(f" {story.use_case or 'no reports'} ", "bold"),
        title_align="left",
        subtitle=Text(stamp, "dim") if stamp else None,
        subtitle_align="right",
        border_style=tone,
        padding=(0, 1),
    )


def _body(story: Story, width: int) -> Iterator[RenderableType]:
    for section in SECTIONS:
        drawn = section(story, width)
        if drawn is not None:
            yield heading(drawn.name, drawn.note)
            yield Padding(Group(*drawn.parts), (0, 0, 1, 0))


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


def training(story: Story, width: int) -> Section | None:
    """Epochs, pace, quality on dev and cost, or why nothing was trained."""
    found = story.train
    if found is None:
        return None
    if not found.trained:
        return Section("Training", "", lines(f"Nothing was trained: {found.reason}"))
    steps = " → ".join(
        f"{share(one.dev_quality)}{' (kept)' if one.epoch == found.best_epoch else ''}" for one in found.epochs
    )
    spent = found.cost
    price = f"{duration(spent.wall_s)}, {usd(spent.usd)}" if spent else "cost not known"
    resumed = f"resumed from step {count(found.resumed_from_step)}" if found.resumed_from_step else ""
    pace = f"{counted(len(found.epochs), 'epoch')} at {found.rows_per_s:,.0f} rows/s · {found.precision} · {price}"
    return Section(
        "Training",
        f"{counted(found.train_rows, 'row')}, {count(found.trainable_parameters)} trainable parameters",
        lines(
            pace,
            (f"dev {title(found.metric)}", steps) if steps else None,
            ("stopped early", found.stopped) if found.stopped else None,
            resumed,
        ),
    )


def test(story: Story, width: int) -> Section | None:
    """The test split, opened once: fine-tune against the best cheaper rung."""
    found = story.evaluate
    if found is None:
        return None
    pair = found.comparison
    shown = [one for one in found.candidates if pair is None or one.name in (pair.first, pair.second)]
    target = story.decide.target if story.decide else None
    told: list[Line] = []
    if pair is not None:
        first, second = story.title(pair.first), story.title(pair.second)
        gap = f"{points_with_interval(pair.difference)}{of(pair.metric)}, McNemar {p_value(pair.mcnemar_p)}"
        told.append(("difference", gap))
        only = f"{first} {count(pair.only_first_right)}, {second} {count(pair.only_second_right)}"
        parted = right(shown[0].metrics) if shown else "right"
        told.append(("alone right", only) if parted == "right" else (parted, f"alone: {only}"))
    won = Text.assemble((story.title(found.winner), "bold green"), f": {found.winner_reason}")
    told.append(("winner", won))
    worst = [f"{one.label} {plain(one.f1, 2)}" for one in story.parts[:3]]
    told.append(("weakest", "F1 " + " · ".join(worst)) if worst else None)
    winner = story.candidate(found.winner)
    told.append(("calibration", _calibration(winner.ece if winner else nan)))
    if found.final is not None:
        told.append(("verdict", found.final.reason) if found.final.reason != found.winner_reason else None)
        told += changes(found.final.would_change)
    table = () if not shown else (predictors(shown, target, found.winner, width),)
    more = measures(shown if pair else [winner] if winner else [], width)
    parts = (*table, *lines(*told)) if more is None else (*table, Text(), more, Text(), *lines(*told))
    return Section("Test", f"opened once, {counted(found.test_rows, 'row')}", parts)


def _calibration(ece: float) -> str:
    if isnan(ece):
        return "not measured: it states no confidence"
    return f"ECE {plain(ece)}: mean gap between confidence and accuracy; 0 is perfect"


def registered(story: Story, width: int) -> Section | None:
    """Which version the registry holds now, under which aliases, and why."""
    found = story.register
    if found is None:
        return None
    aliases = ", ".join(f"@{alias}" for alias in found.aliases) or "no alias"
    head = Text.assemble((f"{found.model} version {found.version}", "bold"), f"  {aliases}  ", (found.uri, "dim"))
    verb = "promoted" if found.promotion.yes else "not promoted"
    holder = f"version {found.champion_version}" if found.champion_version else "nobody"
    return Section(
        "Registered",
        story.title(found.winner),
        lines(
            head,
            (verb, found.promotion.reason.removeprefix("not promoted: ")),
            None if found.promotion.yes else ("champion", holder),
        ),
    )


def bill(story: Story, width: int) -> Section | None:
    """What each stage used, and all together."""
    if not story.bill.lines:
        return None
    return Section("Bill", "", (costs(story.bill),))


MOST = 6


def rows(story: Story, width: int) -> Section | None:
    """Rows in, rows kept, rows dropped by reason, and values that their texts do not say."""
    found = story.curate
    if found is None:
        return None
    parts = " · ".join(f"{name} {count(rows)}" for name, rows in found.splits.items())
    reasons = sorted(found.dropped.items(), key=lambda item: -item[1])
    gone = " · ".join(f"{words(reason)} {count(rows)}" for reason, rows in reasons if rows)
    kept = Text.assemble(
        f"{count(found.rows_read)} read → ", (f"{count(found.rows_kept)} kept", "bold"), f"  ({parts})"
    )
    leaked = f"{counted(found.leaked_test_rows, 'given test row')} also stood in the training file"
    return Section(
        "Rows",
        counted(len(found.labels), found.unit),
        lines(
            kept,
            (f"dropped {count(sum(found.dropped.values()))}", gone) if gone else None,
            (f"not found {count(sum(found.unaligned.values()))}", _not_found(found))
            if any(found.unaligned.values())
            else None,
            Text(leaked, "yellow") if found.leaked_test_rows else None,
        ),
    )


def _not_found(found: CurateReport) -> str:
    """Which fields' values do not stand in the text, most often first."""
    fields = sorted(((name, rows) for name, rows in found.unaligned.items() if rows), key=lambda item: -item[1])
    shown = " · ".join(f"{name} {count(rows)}" for name, rows in fields[:MOST])
    more = f" · {counted(len(fields) - MOST, 'more field')}" if len(fields) > MOST else ""
    return f"values that their text does not say: {shown}{more}"


def checks(story: Story, width: int) -> Section | None:
    """Expectations: how many hold, and the failing ones with the places of offending rows."""
    found = story.validate
    if found is None:
        return None
    failed = [one for one in found.expectations if not one.passed]
    of = counted(len(found.expectations), "expectation")
    if not failed:
        return Section("Checks", "", lines(Text(f"✓ {of} hold", "green")))
    parts = tuple(part for one in failed for part in _failure(one))
    return Section("Checks", f"{len(failed)} of {of} failed", parts)


def _failure(one: ExpectationResult) -> tuple[RenderableType, ...]:
    where = ", ".join(one.bad_origins)
    more = one.bad_rows - len(one.bad_origins)
    if where and more > 0:
        where += f" and {count(more)} more"
    return lines(
        Text.assemble(("✗ ", "bold red"), (one.meaning, "bold"), (f"  {one.subject}", "dim")),
        ("  expectation", one.name),
        ("  found", one.observed) if one.observed else None,
        ("  rows", where or counted(one.bad_rows, "row")) if one.bad_rows else None,
    )


def ladder(story: Story, width: int) -> Section | None:
    """Every cheaper rung on the same dev rows, and the target."""
    found = story.ladder
    if found is None:
        return None
    target = story.decide.target if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    note = f"cheaper rungs on {counted(found.dev_rows, 'dev row')}"
    aim = f", target {share(target)} at ┊" if target is not None else ""
    missing = "; ".join(found.unmeasured)
    table = () if not found.rungs else (predictors(found.rungs, target, best, width),)
    return Section("Ladder", note + aim, (*table, *lines(("not measured", missing) if missing else None)))


def decision(story: Story, width: int) -> Section | None:
    """The verdict with its reason, and what it does not know."""
    found = story.decide
    if found is None:
        return None
    verdict = Text(VERDICTS[found.verdict], "bold")
    verdict.append(": " + found.reason, "not bold")
    unknown = "; ".join(found.unmeasured) or "some evidence is missing"
    train = "allowed" if found.train.yes else "not allowed"
    if found.train.reason != found.reason:
        train += f": {found.train.reason}"
    if found.train.yes:
        train += f" (estimated cost {usd(found.estimated_train_usd)})"
    final = story.evaluate.final if story.evaluate else None
    return Section(
        "Decision",
        "before any training money",
        lines(
            verdict,
            (Text("provisional", "yellow"), "not measured: " + unknown) if found.provisional else None,
            ("training", train),
            *(() if final else changes(found.would_change)),
        ),
    )


SECTIONS: tuple[Callable[[Story, int], Section | None], ...] = (
    rows,
    checks,
    ladder,
    prompted,
    failures,
    decision,
    training,
    test,
    both_roads,
    registered,
    bill,
)
