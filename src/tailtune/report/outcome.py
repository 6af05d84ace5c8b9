"""The summary's sections after the decision: training, test, registry, bill. None where there is nothing to tell."""

from __future__ import annotations

from math import isnan, nan

from rich.text import Text

from tailtune.report.evidence import changes
from tailtune.report.measured import of, right, title
from tailtune.report.numbers import (
    count,
    counted,
    duration,
    p_value,
    plain,
    points_with_interval,
    share,
    usd,
)
from tailtune.report.prose import Line, Section, lines
from tailtune.report.story import Story
from tailtune.report.tables import costs, measures, predictors


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
