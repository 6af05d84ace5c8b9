"""Which labels look wrong, what share of all labels is wrong, and what that leaves a model to show.

A model that is always right does not agree with a wrong label, so on labels of which 5 % are wrong it shows 95 %. Two
models that did not learn from a row are asked about its label: a linear head on frozen sentence vectors, and the row's
nearest neighbours among other rows. A label **looks wrong** where the head gives another label at least `TIMES` its
probability and the neighbours vote for that very label.

Such a check misses wrong labels and suspects right ones, the more of them the weaker the head. So the share of wrong
labels is corrected for both as Rogan and Gladen (1978) correct a prevalence: of wrong labels `FINDS` are found, and of
rows that the head gets wrong otherwise `MISTAKES` are suspected by mistake. How far these two vary from one data set to
another was measured where the truth is known (`benchmarks/label_noise.py`); the interval combines that with the chance
of the draw (Zou and Donner 2008, MOVER). Confident learning (Northcutt, Jiang and Chuang 2021) was measured beside it.

Limit: a label that is wrong in the same way wherever such a text stands looks right to whoever learns from labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.figures import counted, share, with_interval
from tailtune.core.label_noise import LabelNoise, SuspectLabel
from tailtune.core.records import Estimate, Row, Split
from tailtune.core.reports import Scored
from tailtune.judge.counted import Counted, groups_of
from tailtune.judge.intervals import interval
from tailtune.judge.net_value import wrong

TIMES = 20.0
"""How many times as probable as the row's label another one must be."""
FINDS = (0.58, 0.76, 1.0)
"""Share of wrong labels that look wrong: least, usual, most."""
MISTAKES = (0.01, 0.065, 0.14)
"""Share of the head's other errors in which a right label looks wrong: least, usual, most."""
REVIEW_S = 20.0
"""Seconds in which a person reads a short text and its label again; an assumption."""
REVIEW_FIRST = "; review these labels first"
"""How a note on the ceiling ends."""
_WORST = 20
_TEXT_CHARACTERS = 600

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Opinions:
    """One per set of rows: what two models say of their labels that did not learn from these rows.

    Attributes:
        likely: The label, other than the row's, that the head finds most probable, n of them.
        confidence: Its probability, shape (n,).
        odds: How many times as probable as the row's label it is, shape (n,).
        seconded: Whether the row's neighbours vote for it, shape (n,).
    """

    likely: Sequence[str]
    confidence: NDArray[np.floating]
    odds: NDArray[np.floating]
    seconded: Bools

    @property
    def suspect(self) -> Bools:
        """Whether each label looks wrong, shape (n,)."""
        return (self.odds >= TIMES) & self.seconded

    @property
    def missed(self) -> Bools:
        """Whether the head answers something else than the label, shape (n,)."""
        return self.odds > 1


def suspects(rows: Sequence[Row], opinions: Opinions) -> tuple[SuspectLabel, ...]:
    """Rows whose label looks wrong and that no person has looked at, the most suspect first."""
    places = [place for place in np.flatnonzero(opinions.suspect).tolist() if not rows[place].reviewed]
    places.sort(key=lambda place: -opinions.odds[place])
    return tuple(
        SuspectLabel(
            id=rows[place].id,
            split=rows[place].split or "train",
            origin=rows[place].origin,
            text=rows[place].text,
            label=str(rows[place].label),
            likely_label=opinions.likely[place],
            confidence=round(float(opinions.confidence[place]), 4),
        )
        for place in places
    )


def label_noise(
    split: Split, rows: Sequence[Row], opinions: Opinions, person_hour_usd: float | None
) -> tuple[LabelNoise, tuple[SuspectLabel, ...]]:
    """What is wrong with a split's labels, in figures; and every row whose label looks wrong.

    A label that a person corrected or confirmed counts as right. Where people corrected what the check had found, what
    it had missed is still there, and is estimated from how much that was.

    Args:
        split: Which one.
        rows: Its rows, n of them.
        opinions: On their labels.
        person_hour_usd: What an hour of a person's work costs; None when that is not declared.
    """
    found = suspects(rows, opinions)
    unseen = np.array([not row.reviewed for row in rows], dtype=np.bool_)
    groups = [row.group for row in rows if not row.reviewed]
    corrected = sum(row.review == "corrected" for row in rows)
    wrong = wrong_share(opinions.suspect[unseen], opinions.missed[unseen], groups, corrected)
    left = float(unseen.mean()) if rows else 0.0
    of_all = {end: getattr(wrong, end) * left for end in ("value", "low", "high")}
    hours = len(found) * REVIEW_S / 3600
    noise = LabelNoise(
        split=split,
        rows=len(rows),
        reviewed_rows=len(rows) - int(unseen.sum()),
        suspect_rows=len(found),
        wrong=wrong.model_copy(update=of_all),
        worst=tuple(map(_short, found[:_WORST])),
        review_hours=round(hours, 4),
        review_usd=None if person_hour_usd is None else hours * person_hour_usd,
    )
    return noise, found


def _short(label: SuspectLabel) -> SuspectLabel:
    text = label.text
    return label if len(text) <= _TEXT_CHARACTERS else label.model_copy(update={"text": text[:_TEXT_CHARACTERS] + " …"})


def wrong_share(suspect: Bools, missed: Bools, groups: Sequence[str | None], corrected_rows: int = 0) -> Estimate:
    """Share of labels that are wrong, with an interval that allows for what the check misses and mistakes.

    Args:
        suspect: Whether each label looks wrong, shape (n,).
        missed: Whether the head answers something else than the label, shape (n,).
        groups: Each row's group, n of them; None for a row of its own.
        corrected_rows: Rows besides these whose labels were wrong, and are corrected: where the check had found them,
            it had missed others.

    Returns:
        Estimate in 0 to 1; all 0 without rows: nothing is left to doubt.
    """
    if not suspect.size:
        return Estimate(value=0.0, low=0.0, high=0.0, rows=0)
    flagged = interval(Counted.shares(suspect), groups_of(groups))
    other_errors = float((missed & ~suspect).mean())

    def corrected(share: float, mistakes: float, finds: float) -> float:
        by_mistake = mistakes * other_errors
        return min(1.0, max(0.0, (share - by_mistake) / (finds - by_mistake)))

    def distance(share: float, end: int) -> float:
        """How far an end lies from the value: by chance, by mistakes, and by what is found; added as squares."""
        away = (
            corrected(share, MISTAKES[1], FINDS[1]),
            corrected(flagged.value, MISTAKES[2 - end], FINDS[1]),
            corrected(flagged.value, MISTAKES[1], FINDS[2 - end]),
        )
        return math.sqrt(sum((other - value) ** 2 for other in away))

    value = corrected(flagged.value, MISTAKES[1], FINDS[1])
    low, high = max(0.0, value - distance(flagged.low, 0)), min(1.0, value + distance(flagged.high, 2))
    usual, most = (corrected_rows * (1 - finds) / finds / suspect.size for finds in (FINDS[1], FINDS[0]))
    value, high = min(1.0, max(value, usual)), min(1.0, max(high, most))
    return flagged.model_copy(update={"value": value, "low": low, "high": high, "worth_rows": None})


def fix_labels_first(noise: LabelNoise | None, target: float) -> str:
    """That no model can show that it reaches the target on such labels, and what to do; empty where one may.

    Args:
        noise: Of the rows that the target is measured on; None when their labels were not checked.
        target: Accuracy that the product needs, 0 to 1.
    """
    if noise is None or not noise.suspect_rows or target <= noise.ceiling.high:
        return ""
    first = "fix labels first (tailtune labels writes these rows to a file, and takes in what people make of them)"
    return f"{_above(noise, f'the target {share(target)}', 'lies')}: {first}"


def say_which_are_one(scored: Scored) -> str:
    """That most of its errors name a label that looks like the right one, and what to do; empty where that is not so.

    Nothing that reads the text can tell `billing` from `Billing`, so neither more rows nor a fine-tune would help.
    """
    alike, errors = scored.look_alike_rows, round(wrong(scored).value * scored.quality.rows)
    if alike * 2 <= errors or not alike:
        return ""
    which = "all" if alike >= errors else f"{alike:,}"
    return (
        f"of {counted(errors, 'error')} of {scored.title} {which} name a label that looks like the right one (case, "
        "spaces or punctuation): first say in labels.yaml which are one, or rename those that are not (tailtune check "
        "lists them)"
    )


def ceiling_note(noise: LabelNoise | None, target: float, needed: float) -> str:
    """That wrong labels cap what a model can show, in words; empty where the cap lies well above what is needed.

    Args:
        noise: Of the rows that the target is measured on; None when their labels were not checked.
        target: Accuracy that the product needs, 0 to 1.
        needed: Accuracy that a cheaper rung needs to stay: the target with its head-room.
    """
    if noise is None or not noise.suspect_rows or needed <= noise.ceiling.value:
        return ""
    above = target > noise.ceiling.value
    subject = f"the target {share(target)}" if above else f"the target with its head-room, {share(needed)},"
    lies = "lies" if target > noise.ceiling.high else "may lie"
    return _above(noise, subject, lies) + REVIEW_FIRST


def _above(noise: LabelNoise, subject: str, lies: str) -> str:
    look = "looks" if noise.suspect_rows == 1 else "look"
    return (
        f"{subject} {lies} above what the {noise.split} labels can show: {noise.suspect_rows:,} of "
        f"{counted(noise.rows, 'label')} {look} wrong, and a model that is always right would show about "
        f"{with_interval(noise.ceiling)}"
    )
