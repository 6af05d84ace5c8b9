"""Statistics that are learnt from earlier days: rows that look like the window rather than like the reference.

A change that is spread over everything, such as a few unseen intents among 77, moves no single share by much. What
tells the window's rows from the reference's best does: a direction of the embedding, a set of categories that became
more frequent. It is learnt from earlier days and a third of the reference, and then tested on *later* days and the
rest of it, which it knows nothing of: so the evidence stays valid, as with a classifier that is tested on rows it did
not see (Lopez-Paz and Oquab 2017; by betting, Podkopaev and Ramdas 2023). One is learnt every night from the last week
and tested for a week, and one every week from the last four and tested for as long: the first is quick, the second
sees what is small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import DayCounts, Floats
from tailtune.judge.drift.detector import NIGHTS
from tailtune.judge.drift.reference import Categories, keys_of
from tailtune.judge.drift.space import EMBEDDING, LEVELS, Space

SUM = f"{EMBEDDING}\tsum"
"""Key of a day's rows that have a vector, followed by the sum of these, in `DayCounts.sums`."""
_LEAST_ROWS = 50
"""Rows of earlier days from which something can be learnt."""
_SURE = (0.0, 1.5)
"""Standard errors by which categories in a set are more frequent than in the reference."""


@dataclass(frozen=True)
class Schedule:
    """One per rhythm of learning.

    Attributes:
        span: Days that are learnt from.
        every: Days from one learning to the next.
        life: Days on which what was learnt is tested.
    """

    span: int
    every: int
    life: int

    @property
    def alive(self) -> int:
        """How many are tested on one day."""
        return self.life // self.every


SCHEDULES = (Schedule(7, 1, 7), Schedule(28, 7, 28))
_TONIGHT = "0"


@dataclass(frozen=True)
class Learnt:
    """One per learned statistic that is tested on a day.

    Attributes:
        key: Of its counts.
        reference: Rows of the reference that count, and all that were measured, of those not learnt from.
    """

    key: str
    reference: tuple[int, int]


@dataclass(frozen=True)
class Direction(Learnt):
    """One per bound on a direction of the embedding: rows count that lie beyond."""

    axis: Floats
    bound: float


@dataclass(frozen=True)
class Grown(Learnt):
    """One per set of categories that became more frequent: which, in the order of `Categories.in_order`."""

    chosen: NDArray[np.bool_]


def births(day: int) -> Iterator[tuple[Schedule, int]]:
    """The days on which what is tested on a day was learnt, before that day's rows."""
    for schedule in SCHEDULES:
        for birth in range(day - schedule.life + 1, day + 1):
            if birth % schedule.every == 0:
                yield schedule, birth


def is_learned(key: str) -> bool:
    """Whether the counts are those of a learned statistic."""
    return "\tlearned " in key


def learned_weight(key: str) -> float:
    """Share of a measure's learned weight that one learned statistic has; over those of a day it is at most 1."""
    bounds = len(LEVELS) if key.startswith(f"{EMBEDDING}\t") else len(_SURE)
    schedule = _schedule(key)
    return 1 / bounds if schedule is None else 1 / (len(SCHEDULES) * schedule.alive * bounds)


def is_tested(key: str, day: int) -> bool:
    """Whether a learned statistic is tested on a day, if the day has rows."""
    schedule, birth = _schedule(key), int(key.rsplit(" ", 2)[1])
    return birth <= day < birth + (1 if schedule is None else schedule.life)


def renewal(key: str) -> float:
    """How many of a learned statistic's kind are tested on one day, as a share of those that are within 30 nights."""
    schedule = _schedule(key)
    return 1.0 if schedule is None else schedule.life / (schedule.life + NIGHTS)


def _schedule(key: str) -> Schedule | None:
    """By which a learned statistic was made; None on the first night."""
    span = key.split("\tlearned ", 1)[1].split(" ")[0]
    return None if span == _TONIGHT else next(each for each in SCHEDULES if each.span == int(span))


def _key(measure: str, span: object, birth: int, which: int) -> str:
    return f"{measure}\tlearned {span} {birth} {which}"


def directions(space: Space, day: int, earlier: Sequence[DayCounts]) -> Iterator[Direction]:
    """Directions that are tested on a day."""
    there = [each for each in earlier if SUM in each.sums]
    sums = np.array([each.sums[SUM] for each in there], dtype=np.float64)
    for (span, birth), total in _learnt_from(there, sums, day):
        if total[0] >= _LEAST_ROWS:
            yield from _bounds(space, total[1:], float(total[0]), span, birth)


def _learnt_from(days: Sequence[DayCounts], sums: Floats, day: int) -> Iterator[tuple[tuple[int, int], Floats]]:
    """Span and birth of what is tested on a day, with the sum over the days that it is learnt from."""
    at = np.array([each.day for each in days], dtype=np.int64)
    for schedule, birth in births(day):
        chosen = (birth - schedule.span <= at) & (at < birth)
        if chosen.any():
            yield (schedule.span, birth), sums[chosen].sum(axis=0)


def direction_tonight(space: Space, learning: Floats, day: int) -> Iterator[Direction]:
    """The same on the first night, from half of its rows, for the other half."""
    if len(learning) >= _LEAST_ROWS:
        yield from _bounds(space, learning.sum(axis=0, dtype=np.float64), len(learning), _TONIGHT, day)


def _bounds(space: Space, total: Floats, rows: float, span: object, birth: int) -> Iterator[Direction]:
    axis = space.direction(total, rows)
    scores = np.sort(space.testing @ axis)
    for which, level in enumerate(LEVELS):
        bound = float(scores[math.ceil(level * scores.size) - 1])
        beyond = int(scores.size - np.searchsorted(scores, bound, side="right"))
        yield Direction(_key(EMBEDDING, span, birth, which), (beyond, scores.size), axis, bound)


def grown(measure: str, categories: Categories, day: int, earlier: Sequence[DayCounts]) -> Iterator[Grown]:
    """Sets of categories that are tested on a day."""
    keys = keys_of(measure, categories)
    there = [each for each in earlier if keys[0] in each.counts]
    hits = (each.counts.get(key, (0, 0))[0] for each in there for key in keys)
    seen = np.fromiter(hits, dtype=np.float64, count=len(there) * len(keys)).reshape(len(there), len(keys))
    learning, testing = (categories.in_order(rows) for rows in (categories.learning, categories.testing))
    for (span, birth), total in _learnt_from(there, seen, day):
        if total.sum() < _LEAST_ROWS:
            continue
        gained = _gain(total, total.sum(), learning)
        for which, sure in enumerate(_SURE):
            chosen = gained > sure
            counts = (int(testing[chosen].sum()), int(testing.sum()))
            yield Grown(_key(measure, span, birth, which), counts, chosen)


def _gain(seen: Floats, rows: float, learning: Floats) -> Floats:
    """By how many standard errors each is more frequent than in the reference."""
    usual = (learning + 0.5) / (learning.sum() + 1)
    error = np.sqrt(usual * (1 - usual) * (1 / rows + 1 / (learning.sum() + 1)))
    gain: Floats = (seen / rows - usual) / error
    return gain
