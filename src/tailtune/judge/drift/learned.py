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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import DayCounts, Floats
from tailtune.judge.drift.detector import NIGHTS
from tailtune.judge.drift.reference import Categories, key_of, other_key
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
    """One per set of categories that became more frequent; None is no answer."""

    names: frozenset[str | None]
    has_other: bool


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
    for schedule, birth in births(day):
        sums = [each.sums[SUM] for each in earlier if birth - schedule.span <= each.day < birth and SUM in each.sums]
        rows = sum(each[0] for each in sums)
        if rows >= _LEAST_ROWS:
            total = np.sum([each[1:] for each in sums], axis=0)
            yield from _bounds(space, total, rows, schedule.span, birth)


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
    names: list[str | None] = [None, *sorted(categories.names)]
    keys = [other_key(measure), *(key_of(measure, name) for name in names)]
    for schedule, birth in births(day):
        days = [each.counts for each in earlier if birth - schedule.span <= each.day < birth and keys[0] in each.counts]
        rows = sum(counts[keys[0]][1] for counts in days)
        if rows < _LEAST_ROWS:
            continue
        seen = np.array([sum(counts.get(key, (0, 0))[0] for counts in days) for key in keys], dtype=np.float64)
        learning, testing = (_by_name(half, names) for half in (categories.learning, categories.testing))
        gained = _gain(seen, rows, learning)
        for which, sure in enumerate(_SURE):
            chosen = gained > sure
            members = frozenset(name for name, is_in in zip(names, chosen[1:], strict=True) if is_in)
            counts = (int(testing[chosen].sum()), int(testing.sum()))
            yield Grown(_key(measure, schedule.span, birth, which), counts, members, bool(chosen[0]))


def _by_name(half: Mapping[str | None, int], names: Sequence[str | None]) -> NDArray[np.float64]:
    """Rows of all other categories, and of each."""
    own = np.array([half.get(name, 0) for name in names], dtype=np.float64)
    return np.concatenate([[sum(half.values()) - own.sum()], own])


def _gain(seen: Floats, rows: float, learning: Floats) -> Floats:
    """By how many standard errors each is more frequent than in the reference."""
    usual = (learning + 0.5) / (learning.sum() + 1)
    error = np.sqrt(usual * (1 - usual) * (1 / rows + 1 / (learning.sum() + 1)))
    gain: Floats = (seen / rows - usual) / error
    return gain
