"""What a window is compared with: the reference's shares of rows, statistic by statistic, and their weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailtune.core.monitored import STRANGENESS, Floats, Sample
from tailtune.judge.drift.space import EMBEDDING, Space

TOLERANCE = 0.01
"""How far a share of one half may move and not matter; small shares may move less (`detector.py`)."""
LEAST_ROWS = 50
"""Rows of the reference that must have a measure; with fewer it is not measured."""
MOST_CATEGORIES = 5_000
NO_ANSWER, OTHER = "no answer", "not in the reference"
_LOWER, _UPPER = (0.01, 0.05, 0.25), (0.5, 0.75, 0.95, 0.99)
_STRANGE = (0.75, 0.9, 0.95, 0.99)
_SURE = 1.5
"""What is taken from 1 by a sure answer counts less: of a text far off, a third of its strangeness is left."""
_LEARNED = 0.5
"""Share of a measure's weight that its learned statistics have, where it has such."""
_APART = 0.125
"""The same of rows without an answer, and of rows whose answer the reference does not have."""


@dataclass(frozen=True)
class Limit:
    """One per share that must not be exceeded, whatever the reference's was.

    Attributes:
        measure: A number, or a category, of the window's sample; the reference need not have it.
        share: The most that is all right, above 0.
        above: Rows count whose number is above it; None where rows count that have no category.
    """

    measure: str
    share: float
    above: float | None = None

    @property
    def key(self) -> str:
        """Of its counts."""
        return f"{self.measure}\tlimit {'none' if self.above is None else f'{self.above:.12g}'}"


@dataclass(frozen=True)
class Statistic:
    """One per share of rows that is watched every day.

    Attributes:
        key: Of its counts.
        measure: As in `Finding`.
        part: As in `Finding`.
        hits: Rows of the reference that count.
        rows: Rows of the reference that were measured; infinite where there is a `limit`.
        weight: In the evidence, both directions together. Strangeness, other numbers, categories, the embedding and
            limits have the same weight each, as far as there are any; so has each measure among its kind. All weights
            add up to 1.
        limit: Share that must not be exceeded; NaN where the reference says what is usual.
        only_more: Whether fewer rows than before are no evidence.
    """

    key: str
    measure: str
    part: str
    hits: int
    rows: float
    weight: float
    limit: float = math.nan
    only_more: bool = False


@dataclass(frozen=True)
class Cut:
    """One per bound of a number.

    Attributes:
        key: Of the statistic.
        value: Rows count that lie beyond.
        upper: Whether beyond is above; else below.
    """

    key: str
    value: float
    upper: bool

    def beyond(self, values: Floats) -> int:
        """How many of the values lie there; NaN never does."""
        return int(np.count_nonzero(values > self.value if self.upper else values < self.value))


@dataclass(frozen=True)
class Categories:
    """One per category measure of the reference.

    Attributes:
        names: Those that have a statistic of their own, in ascending order.
        learning: Category → rows, in the third of the reference that is learnt from; None is no answer.
        testing: The same in the rest, by which what was learnt is judged.
    """

    names: tuple[str, ...]
    learning: Mapping[str | None, int]
    testing: Mapping[str | None, int]

    def in_order(self, rows: Mapping[str | None, int]) -> Floats:
        """Rows of all categories without a statistic of their own, of no answer, and of each name."""
        own = np.array([rows.get(name, 0) for name in (None, *self.names)], dtype=np.float64)
        return np.concatenate([[sum(rows.values()) - own.sum()], own])


@dataclass(frozen=True)
class Reference:
    """One per version: what its rows were like when it was made.

    Attributes:
        rows: How many.
        tolerance: How far a share of one half may move and not matter.
        statistics: All that are watched by a fixed rule.
        cuts: Number → its bounds.
        categories: Category measure → what the reference has of it.
        space: Of the embeddings; None where there are none.
        limits: As handed in.
        not_measured: Sentences about what the reference cannot be compared by.
    """

    rows: int
    tolerance: float
    statistics: tuple[Statistic, ...]
    cuts: Mapping[str, tuple[Cut, ...]]
    categories: Mapping[str, Categories]
    space: Space | None
    limits: tuple[Limit, ...]
    not_measured: tuple[str, ...]

    @classmethod
    def of(cls, sample: Sample, tolerance: float = TOLERANCE, limits: Sequence[Limit] = ()) -> Reference:
        """Measure the reference's rows. The same sample gives the same reference.

        Args:
            sample: Rows that the version did not learn from, in any order; up to some 10,000.
            tolerance: How far a share of one half may move and not matter, 0 to 0.5.
            limits: Shares that must not be exceeded, whatever the reference's are.

        Raises:
            ValueError: The tolerance or a limit's share is out of range.
        """
        if not 0 <= tolerance <= 0.5:
            raise ValueError(f"tolerance is {tolerance}; expected 0 to 0.5")
        for limit in limits:
            if not 0 < limit.share < 1:
                raise ValueError(f"limit of {limit.measure} is {limit.share}; expected above 0 and below 1")
        cuts: dict[str, tuple[Cut, ...]] = {}
        categories: dict[str, Categories] = {}
        kinds_of = ("strangeness", "number", "category", "embedding", "limit")
        watched: dict[str, list[list[Statistic]]] = {kind: [] for kind in kinds_of}
        missing: list[str] = []
        for measure, values in sorted(sample.numbers.items()):
            numbers = np.asarray(values, dtype=np.float64)
            measured = int(np.count_nonzero(~np.isnan(numbers)))
            if measured < LEAST_ROWS:
                missing.append(_too_few(measure, measured))
                continue
            if measure == STRANGENESS:
                cuts[measure] = _cuts(measure, numbers, (), _STRANGE)
                watched["strangeness"].append(_of_strangeness(numbers, cuts[measure]))
            else:
                cuts[measure] = _cuts(measure, numbers, _LOWER, _UPPER)
                watched["number"].append(_of_numbers(measure, numbers, cuts[measure]))
        for measure, names in sorted(sample.categories.items()):
            if len(names) < LEAST_ROWS:
                missing.append(_too_few(measure, len(names)))
                continue
            categories[measure] = _categories(names)
            watched["category"].append(_of_categories(measure, categories[measure]))
        space = None if sample.embeddings is None else Space.of(sample.embeddings, LEAST_ROWS)
        if space is None:
            vectors = 0 if sample.embeddings is None else int(np.isfinite(sample.embeddings[:, 0]).sum())
            missing.append(_too_few(EMBEDDING, vectors))
        else:
            watched["embedding"].append(_of_space(space))
        watched["limit"] = [[_of_limit(limit)] for limit in limits]
        kinds = [measures for measures in watched.values() if measures]
        statistics = tuple(
            replace(each, weight=each.weight / len(kinds) / len(measures))
            for measures in kinds
            for measure in measures
            for each in measure
        )
        return cls(sample.rows, tolerance, statistics, cuts, categories, space, tuple(limits), tuple(missing))

    def learned_weight(self, measure: str) -> float:
        """Weight in the evidence of a measure's learned statistics together."""
        numbers = [measure for measure in self.cuts if measure != STRANGENESS]
        kinds = sum(map(bool, (STRANGENESS in self.cuts, numbers, self.categories, self.space, self.limits)))
        return _LEARNED / kinds if measure == EMBEDDING else _LEARNED / kinds / len(self.categories)


def strangeness(novelty: Floats, confidence: Floats) -> Floats:
    """How far off texts are, weighed by how unsure the answers to them were, (n,) each; NaN where either is.

    Of texts of unseen kinds many are only a little farther off and a little less sure, which together tells them best:
    of BANKING77's 75 % lie beyond 90 % of known ones, by distance alone 63 %.
    """
    strange: Floats = novelty * (_SURE - confidence)
    return strange


def text_of(category: object) -> str | None:
    """A category as text, so that 3 and "3" are the same; None is no answer."""
    return None if category is None else str(category)


def key_of(measure: str, category: str | None) -> str:
    """Of the statistic of one category, or of rows without."""
    return f"{measure}\tnone" if category is None else f"{measure}\tis {category}"


def keys_of(measure: str, categories: Categories) -> list[str]:
    """Of all statistics of a category measure, in the order of `Categories.in_order`."""
    return [other_key(measure), *(key_of(measure, name) for name in (None, *categories.names))]


def other_key(measure: str) -> str:
    """Of the statistic of all categories that have none of their own."""
    return f"{measure}\tother"


def measured_key(measure: str) -> str:
    """Of the statistic of rows that have the number at all."""
    return f"{measure}\tmeasured"


def _too_few(measure: str, rows: int) -> str:
    return f"{measure}: the reference has it in {rows} rows, fewer than {LEAST_ROWS}"


def _cuts(measure: str, numbers: Floats, lower: Sequence[float], upper: Sequence[float]) -> tuple[Cut, ...]:
    """Quantiles, each once: a number that is nearly always the same has few."""
    ordered = np.sort(numbers[~np.isnan(numbers)])
    found: dict[tuple[float, bool], Cut] = {}
    for level in (*lower, *upper):
        above = level in upper  # as many rows lie beyond on either side
        place = math.ceil(level * ordered.size) - 1 if above else math.floor(level * ordered.size)
        value = float(ordered[place])
        found.setdefault((value, above), Cut(f"{measure}\t{'above' if above else 'below'} {level:g}", value, above))
    return tuple(found.values())


def _of_numbers(measure: str, numbers: Floats, cuts: Sequence[Cut]) -> list[Statistic]:
    measured = int(np.count_nonzero(~np.isnan(numbers)))
    weight = 1 / (len(cuts) + 1)
    statistics = [Statistic(measured_key(measure), measure, "measured", measured, numbers.size, weight)]
    for cut in cuts:
        part = f"{'above' if cut.upper else 'below'} {cut.value:.4g}"
        statistics.append(Statistic(cut.key, measure, part, cut.beyond(numbers), measured, weight))
    return statistics


def _of_strangeness(numbers: Floats, cuts: Sequence[Cut]) -> list[Statistic]:
    measured = int(np.count_nonzero(~np.isnan(numbers)))
    parts = [(cut.key, f"above {cut.value:.4g}", cut.beyond(numbers)) for cut in cuts]
    return [
        Statistic(key, STRANGENESS, part, hits, measured, 1 / len(cuts), only_more=True) for key, part, hits in parts
    ]


def _categories(values: Sequence[object]) -> Categories:
    names = [text_of(value) for value in values]
    learning = Counter(names[::3])
    testing = Counter(names)
    testing.subtract(learning)
    known = sorted((name for name in learning if name is not None), key=lambda name: (-learning[name], name))
    return Categories(tuple(sorted(known[:MOST_CATEGORIES])), learning, testing)


def _of_categories(measure: str, categories: Categories) -> list[Statistic]:
    """Which categories there are is learnt from one third, so how many rows have another is read off the rest."""
    learning, testing = categories.learning, categories.testing
    rest = sum(testing.values())
    total = sum(learning.values()) + rest
    other = int(categories.in_order(testing)[0])
    none = learning.get(None, 0) + testing.get(None, 0)
    statistics = [
        Statistic(key_of(measure, None), measure, NO_ANSWER, none, total, _APART),
        Statistic(other_key(measure), measure, OTHER, other, rest, _APART),
    ]
    for name in categories.names:
        hits, weight = learning[name] + testing.get(name, 0), (1 - _LEARNED - 2 * _APART) / len(categories.names)
        statistics.append(Statistic(key_of(measure, name), measure, name, hits, total, weight))
    return statistics


def _of_space(space: Space) -> list[Statistic]:
    rows = int(space.cluster_rows.sum())
    weight = (1 - _LEARNED) / len(space.cluster_rows)
    return [
        Statistic(space.cluster_key(place), EMBEDDING, f"cluster {place + 1}", int(hits), rows, weight)
        for place, hits in enumerate(space.cluster_rows)
    ]


def _of_limit(limit: Limit) -> Statistic:
    part = NO_ANSWER if limit.above is None else f"above {limit.above:.4g}"
    return Statistic(limit.key, limit.measure, part, 0, math.inf, 1.0, limit.share)
