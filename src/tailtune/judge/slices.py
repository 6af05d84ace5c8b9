"""Quality by slice: by the values of columns such as channel or language, corrected for how many there are. Pure.

A slice is *behind* where the measure on its rows is clearly lower than on all other rows, and a version is *worse*
there than the champion where the paired test of those rows says so. Both p-values are Holm-adjusted over all values of
all slices. Values with fewer rows than `FEW` are counted together as `others`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate, Row
from tailtune.core.reports import SliceChange, SliceResult
from tailtune.judge.scores import Score, compare
from tailtune.judge.stats import holm, parted

FEW = 20
"""Rows below which a value is not measured alone."""
OTHERS = "others"


@dataclass(frozen=True)
class Slice:
    """One per column and value.

    Attributes:
        chosen: Which rows have it, shape (n,).
    """

    name: str
    value: str
    chosen: NDArray[np.bool_]


def slices_of(rows: Sequence[Row]) -> Iterator[Slice]:
    """Values of each column that enough rows have, most frequent first, and the others together."""
    for name in dict.fromkeys(name for row in rows for name, _ in row.slices):
        values = [dict(row.slices).get(name, "") for row in rows]
        counts = Counter(values)
        shown = [OTHERS if counts[value] < FEW else value for value in values]
        for value, _ in Counter(shown).most_common():
            yield Slice(name, value, np.array([each == value for each in shown]))


def by_slice(rows: Sequence[Row], score: Score) -> tuple[SliceResult, ...]:
    """Quality in each slice beside that of all other rows, worst first, unmeasured ones last.

    Args:
        rows: The rows, with their slices.
        score: Of their answers, in the same order.
    """
    found = [
        (each, _restricted(score, each.chosen).quality, _restricted(score, ~each.chosen).quality)
        for each in slices_of(rows)
    ]
    adjusted = holm([_p(here, elsewhere) for _, here, elsewhere in found])
    results = [
        SliceResult(
            name=each.name,
            value=each.value,
            rows=int(each.chosen.sum()),
            quality=here,
            behind=elsewhere.value - here.value,
            p_adjusted=p,
        )
        for (each, here, elsewhere), p in zip(found, adjusted, strict=True)
    ]
    order = {name: place for place, name in enumerate(dict.fromkeys(result.name for result in results))}
    return tuple(sorted(results, key=lambda result: (order[result.name], *_worst_first(result.quality))))


def changes(rows: Sequence[Row], ours: Score, theirs: Score, names: tuple[str, str]) -> tuple[SliceChange, ...]:
    """A version against the champion in each slice, worst first, unmeasured ones last.

    Args:
        rows: The rows, with their slices.
        ours: Of the version's answers.
        theirs: Of the champion's.
        names: What the two are called.
    """
    found = [
        (each, compare(_restricted(ours, each.chosen), _restricted(theirs, each.chosen), names))
        for each in slices_of(rows)
    ]
    adjusted = holm([paired.p for _, paired in found])
    results = [
        SliceChange(name=each.name, value=each.value, comparison=paired, p_adjusted=p)
        for (each, paired), p in zip(found, adjusted, strict=True)
    ]
    return tuple(sorted(results, key=lambda result: _worst_first(result.comparison.difference)))


def _worst_first(found: Estimate) -> tuple[bool, float]:
    """What sorts the least first, and what was not measured last: NaN is neither less nor more than anything."""
    return math.isnan(found.value), found.value


def _restricted(score: Score, chosen: NDArray[np.bool_]) -> Score:
    """The score over some of the rows, in the measure that the target is about."""
    groups = None if score.groups is None else np.unique(score.groups[chosen], return_inverse=True)[1].astype(np.int64)
    counted = {score.metric: score.counted[score.metric].of_rows(chosen)}
    return Score(score.right[chosen], counted, groups, ece=float("nan"), invalid_rows=0)


def _p(here: Estimate, elsewhere: Estimate) -> float:
    """Of both being equal, each counted as the independent rows that it is worth; 1 where one was not measured."""
    if not (here.worth_rows and elsewhere.worth_rows):
        return 1.0
    first, second = (
        each.model_copy(update={"rows": round(rows)})
        for each, rows in ((here, here.worth_rows), (elsewhere, elsewhere.worth_rows))
    )
    return parted(first, second)[1]
