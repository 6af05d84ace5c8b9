"""Look for wrong labels: ask rungs that did not learn from a row, and write down every row whose label looks wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.errors import TooLargeError
from tailtune.core.label_noise import LabelNoise, SuspectLabel
from tailtune.core.records import Row, Split
from tailtune.judge.ceiling import Opinions, label_noise
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import CachedEmbed, FitContext
from tailtune.services import store
from tailtune.tasks import saved

FILE = "suspect_labels.jsonl"
FOLDS = 5
MAX_TRAIN_ROWS = 20_000
"""Train rows whose labels are checked at most, chosen by content hash: each is asked about by rungs fitted again."""


def check_dev_and_train(
    context: Context, fitting: FitContext, dev: Sequence[Row], embed: CachedEmbed
) -> tuple[tuple[LabelNoise, ...], str]:
    """The labels of dev, by the rungs of the ladder; and of train, by rungs fitted on four fifths of it at a time.

    Args:
        context: Of the ladder, which has saved its rungs.
        fitting: What they were fitted on.
        dev: The dev rows.
        embed: The encoder, which remembers both.

    Returns:
        What was found in dev and in train; and why nothing was looked for, in train alone or at all, empty when it was.
    """
    judges, unchecked = _judges(context, context.out / "rungs", embed)
    if unchecked:
        return (), unchecked
    train = store.first_by_id(fitting.rows, MAX_TRAIN_ROWS)
    try:
        checked: dict[Split, tuple[Sequence[Row], Opinions]] = {"dev": (dev, context.case.task.opinions(dev, judges))}
        of_train = _out_of_fold(context, replace(fitting, rows=train))
    except (TooLargeError, MemoryError) as error:
        return (), str(error) or "this machine has too little memory for it"
    if of_train is None:
        return _written(context, checked), "labels of train: its groups are too few to fit rungs without some of them"
    return _written(context, {**checked, "train": (train, of_train)}), ""


def check_test(context: Context, test: Sequence[Row], embed: CachedEmbed) -> LabelNoise | None:
    """The labels of test, by the rungs of the ladder; None where the ladder has not measured them."""
    judges, unchecked = _judges(context, context.inputs.folder("ladder/rungs"), embed)
    if unchecked:
        return None
    try:
        return _written(context, {"test": (test, context.case.task.opinions(test, judges))})[0]
    except (TooLargeError, MemoryError):
        return None  # it is said why of dev and train


def _judges(context: Context, folder: Path, embed: CachedEmbed) -> tuple[list[Any], str]:
    """The rungs that are asked, and why there are none."""
    task = context.case.task
    if not task.label_judges:
        return [], f"labels of {task.name}: no rung gives each value a probability"
    missing = [name for name in task.label_judges if not (folder / name).is_dir()]
    if missing:
        return [], f"{' and '.join(missing)} not measured; labels are checked by {' and '.join(task.label_judges)}"
    return [saved.load(folder / name, embed) for name in task.label_judges], ""


def _out_of_fold(context: Context, fitting: FitContext) -> Opinions | None:
    """What rungs say of the very rows they are fitted on, each row by rungs that were fitted without its group.

    None where all rows are of one fold, as rows of one group are.
    """
    task = context.case.task
    fold = np.array([_fold(row) for row in fitting.rows])
    parts: list[tuple[list[int], Opinions]] = []
    for number in range(FOLDS):
        context.progress.at(number, FOLDS, "checking labels of train")
        inside, outside = np.flatnonzero(fold == number).tolist(), np.flatnonzero(fold != number).tolist()
        if not inside or not outside:
            continue
        others = replace(fitting, rows=[fitting.rows[place] for place in outside])
        judges = [saved.RUNG_KINDS[name].load_class().fit(others) for name in task.label_judges]
        parts.append((inside, task.opinions([fitting.rows[place] for place in inside], judges)))
    if not parts:
        return None
    order = np.argsort(np.concatenate([inside for inside, _ in parts]))
    likely = [label for _, opinion in parts for label in opinion.likely]
    arrays = (
        np.concatenate([getattr(opinion, name) for _, opinion in parts])[order]
        for name in ("confidence", "odds", "seconded")
    )
    return Opinions([likely[place] for place in order.tolist()], *arrays)


def _fold(row: Row) -> int:
    """A pure function of a row's group, so that growth moves no row."""
    return hashlib.sha256((row.id if row.group is None else row.group).encode()).digest()[0] % FOLDS


def _written(context: Context, checked: Mapping[Split, tuple[Sequence[Row], Opinions]]) -> tuple[LabelNoise, ...]:
    """What was found in each split; every suspect row is written down, the most suspect of the first split first."""
    hour_usd = context.inputs.prices.person_hour_usd
    noises: list[LabelNoise] = []
    lines: list[SuspectLabel] = []
    for split, (rows, opinions) in checked.items():
        noise, found = label_noise(split, rows, opinions, hour_usd)
        noises.append(noise)
        lines += found
        context.progress.say(f"{noise.suspect_rows:,} of {noise.rows:,} labels of {split} look wrong")
    store.write_jsonl(context.out / FILE, (line.model_dump() for line in lines))
    return tuple(noises)
