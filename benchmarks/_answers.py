"""How candidates of a simulated task answer rows: what they share, what each kind of task measures, and its truth.

A row is easy or hard for everybody, to a degree, and rows of a group together. Numbers come from a generator of the
caller's; nothing of `tailtune.judge` decides anything here, its `Counted` and `Score` only hold what was counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tailtune.judge.counted import Counted, Places
from tailtune.judge.scores import Score
from tailtune.judge.sequential import Outcomes

if TYPE_CHECKING:
    from _tasks import Task, Truth

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
NAMED = "recall/fraud"  # the measure of a floor that somebody declared
_IN_GROUPS = 0.5  # share of a row's difficulty that its group has in common
_GRID = norm.ppf((np.arange(200) + 0.5) / 200)
WRONG_VALUES = 0.5  # of a field that is not right: how often a wrong value is given, and not none
AGREES = 0.02  # how often a wrong label is what a candidate answers


@dataclass(frozen=True)
class Answers:
    """One per candidate and set of rows.

    Attributes:
        score: What the rows' labels say of them.
        outcomes: Items right, wrong and missed of each row, shape (n, 3).
        invalid: Which answers cannot be used, shape (n,).
        usd: What each cost, shape (n,).
    """

    score: Score
    outcomes: Outcomes
    invalid: Bools
    usd: Floats

    def first(self, rows: int) -> Answers:
        """Those to the first rows."""
        chosen = np.arange(self.outcomes.shape[0]) < rows
        groups = None if self.score.groups is None else self.score.groups[:rows]
        counted = {name: measure.of_rows(chosen) for name, measure in self.score.counted.items()}
        score = Score(self.score.right[:rows], counted, groups, math.nan, int(self.invalid[:rows].sum()))
        return Answers(score, self.outcomes[:rows], self.invalid[:rows], self.usd[:rows])


@dataclass(frozen=True)
class Rows:
    """One per task and split.

    Attributes:
        answers: Candidate → its answers.
        wrong_labels: Which rows' labels are wrong, shape (n,).
    """

    answers: dict[str, Answers]
    wrong_labels: Bools


def answered(task: Task, rows: int, random: np.random.Generator) -> Rows:
    """Every candidate's answers to new rows."""
    groups = None if task.group == 1 else (np.arange(rows) // task.group).astype(np.int64)
    shared = np.zeros(rows) if groups is None else random.standard_normal(rows)[groups]
    alike = 0.0 if groups is None else _IN_GROUPS
    hard = math.sqrt(alike) * shared + math.sqrt(1 - alike) * random.standard_normal(rows)
    labels = random.choice(len(task.labels), size=rows, p=task.labels)
    wrong_labels = random.random(rows) < task.wrong_labels
    found = {}
    for name, truth in task.ways.items():
        luck = math.sqrt(task.alike) * hard + math.sqrt(1 - task.alike) * random.standard_normal(rows)
        usd = truth.usd * np.maximum(0.2, random.normal(1, 0.3, rows))
        if task.kind == "extraction":
            found[name] = _objects(task, truth, luck, groups, usd, random)
            continue
        right = luck < norm.ppf(rights(task, truth))[labels]
        invalid = ~right & (random.random(rows) < truth.invalid / max(1e-12, 1 - truth.right))
        shown = np.where(wrong_labels, ~invalid & (random.random(rows) < AGREES), right)
        counted = {"accuracy": Counted.shares(shown)}
        if task.kind == "imbalance":
            counted["macro_f1"] = _macro_f1(labels, right, task.labels, random)
        if task.kind == "floor":
            counted[NAMED] = Counted.shares(right, labels == 1)
        hits = shown.astype(np.int64)
        score = Score(shown, counted, groups, math.nan, int(invalid.sum()))
        found[name] = Answers(score, np.stack([hits, 1 - hits, 1 - hits], axis=1), invalid, usd)
    return Rows(found, wrong_labels)


def rights(task: Task, truth: Truth) -> Floats:
    """Share of right answers by label, shape (labels,): on average `truth.right`."""
    if task.kind == "floor":
        rare, named = task.labels[1], truth.floor
        return np.array([np.clip((truth.right - rare * named) / (1 - rare), 0.01, 0.9999), named])
    if task.kind == "imbalance":
        weights = np.where(np.arange(len(task.labels)) == 0, 1.0, truth.neglect)
        low, high = 0.0, 1.0 / min(1.0, truth.neglect)
        for _ in range(40):  # the errors' scale at which all of them together are as many as they should be
            middle = (low + high) / 2
            many = float(task.labels @ np.minimum(0.97, middle * weights)) > 1 - truth.right
            low, high = (low, middle) if many else (middle, high)
        errors: Floats = np.minimum(0.97, low * weights)
        return 1 - errors
    return np.full(len(task.labels), truth.right)


def true_macro_f1(labels: Floats, right: Floats) -> float:
    """Macro F1 in the long run; wrong answers are drawn by how frequent the other labels are.

    Args:
        labels: Share of rows of each label, shape (labels,).
        right: Share of them that is answered right, shape (labels,).
    """
    answers = np.diag(labels * right)
    for own, share in enumerate(labels):
        others = np.where(np.arange(len(labels)) == own, 0.0, labels)
        answers[own] += share * (1 - right[own]) * others / others.sum()
    hits = np.diag(answers)
    return float(np.mean(2 * hits / (answers.sum(axis=0) + answers.sum(axis=1))))


def _macro_f1(labels: NDArray[np.int64], right: Bools, shares: Floats, random: np.random.Generator) -> Counted:
    wrong = np.empty(labels.size, dtype=np.int64)
    for own in range(len(shares)):
        others = np.where(np.arange(len(shares)) == own, 0.0, shares)
        mine = labels == own
        wrong[mine] = random.choice(len(shares), size=int(mine.sum()), p=others / others.sum())
    answers, at = np.where(right, labels, wrong), np.arange(labels.size)
    hits, sizes = np.zeros((labels.size, len(shares))), np.zeros((labels.size, len(shares)))
    np.add.at(sizes, (at, labels), 1)
    np.add.at(sizes, (at, answers), 1)
    hits[at[right], labels[right]] = 2
    return Counted.ratio(hits, sizes)


def right_fields(task: Task, truth: Truth) -> float:
    """Share of the fields besides the one that everybody misses that are right, so that field F1 is `truth.right`."""
    item, missed = 1 + WRONG_VALUES, 1.0 if task.always_missed else 0.0
    share = (item * task.fields + missed) * truth.right / (task.fields * (2 - (1 - WRONG_VALUES) * truth.right))
    return float(np.clip(share, 0.01, 0.9999))


def _field_chances(share: float, luck: Floats) -> Floats:
    """Each row's chance of a field being right, shape (n,); hard rows err in more of them."""
    chances: Floats = norm.cdf((norm.ppf(share) - math.sqrt(0.5) * luck) / math.sqrt(0.5))
    return chances


def whole_rows_right(task: Task, truth: Truth) -> float:
    """Share of requests that are answered wholly right, in the long run."""
    if task.kind != "extraction":
        return truth.right
    if task.always_missed:
        return 0.0
    return float((_field_chances(right_fields(task, truth), _GRID) ** task.fields).mean())


def _objects(
    task: Task, truth: Truth, luck: Floats, groups: Places | None, usd: Floats, random: np.random.Generator
) -> Answers:
    right = random.binomial(task.fields, _field_chances(right_fields(task, truth), luck))
    not_right = task.fields - right
    wrong = random.binomial(not_right, WRONG_VALUES)
    missed = not_right + (1 if task.always_missed else 0)
    whole = missed == 0
    counted = {"field_f1": Counted.ratio(2 * right, 2 * right + wrong + missed), "exact_match": Counted.shares(whole)}
    score = Score(whole, counted, groups, math.nan, 0)
    return Answers(score, np.stack([right, wrong, missed], axis=1), np.zeros(luck.size, dtype=np.bool_), usd)
