"""How well wrong labels are found, and what share of them is estimated, where the truth is known.

    python benchmarks/label_noise.py [--rows 3000] [--draws 12] [--seed 1] [--also FILE.csv]

The sample tickets come with the truth about their labels: about 5 % are wrong, most of them as a neighbour of the
right one. From them (and from a CSV file with the columns text and label or category, whose labels are then taken to be
right) tasks are drawn: fewer rows, fewer labels, other shares of wrong labels, and sentence vectors of which only some
random directions are left, so that the head is weak. Nothing of the truth is shown to what is measured.

For each kind of task: the true share of wrong labels; precision and recall of the suspect rows; the mean estimate of
the share; how often its interval has the true share; and beside it what confident learning (cleanlab) finds.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from examples.support_tickets.generate import generate
from numpy.typing import NDArray

from tailtune.core.records import Row
from tailtune.judge.ceiling import Opinions, wrong_share
from tailtune.predictors.encoder import Encoder
from tailtune.services.label_issues import suspects as confident_learning
from tailtune.tasks.classification.opinions import opinions
from tailtune.tasks.classification.rungs import ClassifyContext, Probe, Retrieval

FOLDS = 5


@dataclass(frozen=True)
class Texts:
    """One per source: rows with their vectors, labels as they stand and as they are.

    Attributes:
        vectors: Shape (n, 384), unit length.
        labels: As the source has them.
        truth: As they are.
    """

    vectors: np.ndarray
    labels: np.ndarray
    truth: np.ndarray

    def of(self, places: np.ndarray) -> Texts:
        """Some of its rows."""
        return Texts(self.vectors[places], self.labels[places], self.truth[places])


def tickets(rows: int) -> Texts:
    """Sample tickets, repeats left out."""
    made = [each for each in generate() if each.kind in ("normal", "contrast")][:rows]
    vectors = Encoder.load().embed([each.text for each in made])
    return Texts(vectors, np.array([each.label for each in made]), np.array([each.true_label for each in made]))


def from_file(file: Path, rows: int) -> Texts:
    """Rows of a CSV file, whose labels are taken to be right."""
    with file.open(encoding="utf-8", newline="") as lines:
        read = list(csv.DictReader(lines))
    chosen = [read[place] for place in np.random.default_rng(0).permutation(len(read))[:rows]]
    labels = np.array([row.get("label") or row["category"] for row in chosen])
    return Texts(Encoder.load().embed([row["text"] for row in chosen]), labels, labels)


def flipped(texts: Texts, share: float, random: np.random.Generator) -> Texts:
    """The true labels, a share of them replaced: three in four by that of a row with a vector nearby."""
    labels, names = texts.truth.copy(), np.unique(texts.truth)
    for place in np.flatnonzero(random.random(len(labels)) < share):
        near = texts.truth[np.argsort(-(texts.vectors @ texts.vectors[place]))[:200]]
        others = near[near != labels[place]] if random.random() < 0.75 else names[names != labels[place]]
        labels[place] = random.choice(others) if len(others) else labels[place]
    return Texts(texts.vectors, labels, texts.truth)


def weakened(texts: Texts, directions: int, random: np.random.Generator) -> Texts:
    """Vectors of which only some random directions are left."""
    left = texts.vectors @ random.normal(size=(texts.vectors.shape[1], directions))
    vectors = np.zeros_like(texts.vectors)
    vectors[:, :directions] = left / np.linalg.norm(left, axis=1, keepdims=True)
    return Texts(vectors, texts.labels, texts.truth)


def tasks(texts: Texts, random: np.random.Generator) -> Iterator[tuple[str, Texts]]:
    """Kinds of tasks, each with one draw."""
    names, counts = np.unique(texts.truth, return_counts=True)
    common = np.isin(texts.truth, names[np.argsort(-counts)[:8]]) & np.isin(texts.labels, texts.truth)
    some = random.permutation(len(texts.labels))
    fewer = texts.of(np.flatnonzero(common))
    yield "as they stand", texts.of(some[: len(some) * 3 // 4])
    yield "as they stand, 800 rows", texts.of(some[:800])
    yield "all right", flipped(texts.of(some[: len(some) * 3 // 4]), 0.0, random)
    yield "all right, 8 labels", flipped(fewer, 0.0, random)
    for share in (0.02, 0.05, 0.12):
        yield f"{share:.0%} wrong", flipped(texts.of(some[: len(some) * 3 // 4]), share, random)
        yield f"{share:.0%} wrong, 8 labels", flipped(fewer, share, random)
    yield "5% wrong, weak head", weakened(flipped(texts, 0.05, random), 60, random)
    yield "all right, weak head", weakened(flipped(texts, 0.0, random), 60, random)
    yield "5% wrong, very weak head", weakened(flipped(texts, 0.05, random), 24, random)


def opinions_on(texts: Texts, random: np.random.Generator) -> tuple[Opinions, np.ndarray]:
    """What rungs say of rows they did not learn from; and which rows confident learning suspects."""
    names = sorted({*texts.labels, *texts.truth})
    rows = [Row(str(place), str(place), str(label), "") for place, label in enumerate(texts.labels)]

    def embed(numbers: Sequence[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = texts.vectors[[int(number) for number in numbers]]
        return vectors

    fold, parts, found = random.integers(0, FOLDS, len(rows)), [], np.zeros(len(rows), dtype=bool)
    probabilities = np.zeros((len(rows), len(names)), dtype=np.float32)
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        context = ClassifyContext(
            rows=[rows[place] for place in outside],
            embed=embed,
            labels=dict.fromkeys(names, ""),
            shots=10,
            neighbours=10,
        )
        probe, neighbours = Probe.fit(context), Retrieval.fit(context)
        parts.append((inside, opinions([rows[place] for place in inside], probe, neighbours)))
        probabilities[inside] = probe.probabilities([str(place) for place in inside])
    order = np.argsort(np.concatenate([inside for inside, _ in parts]))
    arrays = (
        np.concatenate([getattr(each, name) for _, each in parts])[order] for name in ("confidence", "odds", "seconded")
    )
    likely = [label for _, each in parts for label in each.likely]
    found = confident_learning(np.searchsorted(names, texts.labels), probabilities)
    return Opinions([likely[place] for place in order], *arrays), found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--also", type=Path)
    options = parser.parse_args()
    sources = {"tickets": tickets(options.rows)}
    if options.also:
        sources[options.also.parent.name] = from_file(options.also, options.rows)
    for source, texts in sources.items():
        lines: defaultdict[str, list[list[float]]] = defaultdict(list)
        for draw in range(options.draws):
            random = np.random.default_rng(options.seed + draw)
            for kind, task in tasks(texts, random):
                opinion, learnt = opinions_on(task, random)
                wrong, suspect = task.labels != task.truth, opinion.suspect
                share = wrong_share(suspect, opinion.missed, [None] * len(wrong))
                mistaken = (suspect & ~wrong).sum() / max(1, (opinion.missed & ~suspect).sum())
                right_of = [np.nan if not flags.any() else wrong[flags].mean() for flags in (suspect, learnt)]
                recall = [np.nan if not wrong.any() else flags[wrong].mean() for flags in (suspect, learnt)]
                covered = share.low <= wrong.mean() <= share.high
                lines[kind].append(
                    [len(wrong), 1 - opinion.missed.mean(), wrong.mean(), suspect.mean(), right_of[0], recall[0],
                     mistaken, share.value, share.low, share.high, covered, learnt.mean(), right_of[1], recall[1]]
                )  # fmt: skip
        print(f"\n{source}\n{'':28} rows  head  wrong suspect prec recall mistakes estimate  low   high covers | "
              "confident learning: share prec recall")  # fmt: skip
        for kind, figures in lines.items():
            with np.errstate(all="ignore"):
                mean = np.nanmean(np.array(figures), axis=0)
            print(f"{kind:28}{mean[0]:5.0f} {mean[1]:5.3f} {mean[2]:6.3f} {mean[3]:6.3f} {mean[4]:5.2f} {mean[5]:5.2f} "
                  f"{mean[6]:7.3f} {mean[7]:8.3f} {mean[8]:6.3f} {mean[9]:6.3f} {mean[10]:5.0%}  | "
                  f"{mean[11]:24.3f} {mean[12]:5.2f} {mean[13]:5.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
