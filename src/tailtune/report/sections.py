"""The summary's sections: each a pure function of the story, None where the story has nothing to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.reports import ExpectationResult
from tailtune.report.numbers import (
    count,
    counted,
    duration,
    p_value,
    plain,
    points_with_interval,
    share,
    usd,
    words,
)
from tailtune.report.story import Story
from tailtune.report.tables import costs, predictors
from tailtune.report.verdict import VERDICTS


@dataclass(frozen=True)
class Section:
    """One per part of the summary."""

    name: str
    note: str
    parts: tuple[RenderableType, ...]


Line = Text | str | tuple[str | Text, Text | str] | None


def _lines(*lines: Line) -> tuple[RenderableType, ...]:
    """Prose, and facts as (name, text) whose texts stand under each other; None is nothing."""
    facts = [line for line in lines if isinstance(line, tuple)]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, text in facts:
        grid.add_row(name, Text(text) if isinstance(text, str) else text)
    prose: list[RenderableType] = [
        Text(line) if isinstance(line, str) else line for line in lines if line and not isinstance(line, tuple)
    ]
    shown = [*prose, grid] if facts else prose
    return tuple(Padding(part, (0, 0, 0, 2)) for part in shown)


def rows(story: Story, width: int) -> Section | None:
    """Rows in, rows kept, rows dropped by reason."""
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
        counted(len(found.labels), "label"),
        _lines(
            kept,
            (f"dropped {count(sum(found.dropped.values()))}", gone) if gone else None,
            Text(leaked, "yellow") if found.leaked_test_rows else None,
        ),
    )


def checks(story: Story, width: int) -> Section | None:
    """Expectations: how many hold, and the failing ones with the places of offending rows."""
    found = story.validate
    if found is None:
        return None
    failed = [one for one in found.expectations if not one.passed]
    of = counted(len(found.expectations), "expectation")
    if not failed:
        return Section("Checks", "", _lines(Text(f"✓ {of} hold", "green")))
    parts = tuple(part for one in failed for part in _failure(one))
    return Section("Checks", f"{len(failed)} of {of} failed", parts)


def _failure(one: ExpectationResult) -> tuple[RenderableType, ...]:
    where = ", ".join(one.bad_origins)
    more = one.bad_rows - len(one.bad_origins)
    if where and more > 0:
        where += f" and {count(more)} more"
    return _lines(
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
    target = story.decide.target_accuracy if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    note = f"cheaper rungs on {counted(found.dev_rows, 'dev row')}"
    aim = f", target {share(target)} at ┊" if target is not None else ""
    missing = "; ".join(found.unmeasured)
    table = () if not found.rungs else (predictors(found.rungs, target, best, width),)
    return Section("Ladder", note + aim, (*table, *_lines(("not measured", missing) if missing else None)))


def decision(story: Story, width: int) -> Section | None:
    """The verdict with its reason, and what it does not know."""
    found = story.decide
    if found is None:
        return None
    verdict = Text(VERDICTS[found.verdict], "bold")
    verdict.append(": " + found.reason, "not bold")
    unknown = "; ".join(found.unmeasured) or "some evidence is missing"
    train = f"{'allowed' if found.train.yes else 'not allowed'}: {found.train.reason}"
    if found.train.yes:
        train += f" (estimated cost {usd(found.estimated_train_usd)})"
    return Section(
        "Decision",
        "before any training money",
        _lines(
            verdict,
            (Text("provisional", "yellow"), "not measured: " + unknown) if found.provisional else None,
            ("training", train),
        ),
    )


def training(story: Story, width: int) -> Section | None:
    """Epochs, pace, dev accuracy and cost, or why nothing was trained."""
    found = story.train
    if found is None:
        return None
    if not found.trained:
        return Section("Training", "", _lines(f"Nothing was trained: {found.reason}"))
    steps = " → ".join(
        f"{share(one.dev_accuracy)}{' (kept)' if one.epoch == found.best_epoch else ''}" for one in found.epochs
    )
    spent = story.train.cost if story.train else None
    price = f"{duration(spent.wall_s)}, {usd(spent.usd)}" if spent else "cost not known"
    resumed = f"resumed from step {count(found.resumed_from_step)}" if found.resumed_from_step else ""
    pace = f"{counted(len(found.epochs), 'epoch')} at {found.rows_per_s:,.0f} rows/s · {found.precision} · {price}"
    return Section(
        "Training",
        f"{counted(found.train_rows, 'row')}, {count(found.trainable_parameters)} trainable parameters",
        _lines(
            pace,
            ("dev accuracy", steps) if steps else None,
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
    target = story.decide.target_accuracy if story.decide else None
    lines: list[Line] = []
    if pair is not None:
        first, second = story.title(pair.first), story.title(pair.second)
        gap = f"{points_with_interval(pair.difference)}, McNemar {p_value(pair.mcnemar_p)}"
        lines.append(("difference", gap))
        only = f"{first} {count(pair.only_first_right)}, {second} {count(pair.only_second_right)}"
        lines.append(("alone right", only))
    won = Text.assemble((story.title(found.winner), "bold green"), f": {found.winner_reason}")
    lines.append(("winner", won))
    worst = [f"{one.label} {plain(one.f1, 2)}" for one in sorted(found.per_class, key=_f1)[:3]]
    lines.append(("weakest", "F1 " + " · ".join(worst)) if worst else None)
    winner = story.candidate(found.winner)
    ece = f"ECE {plain(winner.ece)}" if winner else "n/a"
    lines.append(("calibration", f"{ece}: mean gap between confidence and accuracy; 0 is perfect"))
    table = () if not shown else (predictors(shown, target, found.winner, width),)
    return Section("Test", f"opened once, {counted(found.test_rows, 'row')}", (*table, *_lines(*lines)))


def _f1(one: object) -> float:
    value = float(getattr(one, "f1", 0.0))
    return value if value == value else -1.0


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
        _lines(head, (verb, found.promotion.reason), None if found.promotion.yes else ("champion", holder)),
    )


def bill(story: Story, width: int) -> Section | None:
    """What each stage used, and all together."""
    if not story.bill.lines:
        return None
    return Section("Bill", "", (costs(story.bill),))


SECTIONS: tuple[Callable[[Story, int], Section | None], ...] = (
    rows,
    checks,
    ladder,
    decision,
    training,
    test,
    registered,
    bill,
)
