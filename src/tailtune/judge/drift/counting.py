"""A day's rows, counted once: what every later look needs of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tailtune.core.monitored import DayCounts, Floats, Sample
from tailtune.judge.drift.learned import SUM, Direction, direction_tonight, directions, grown
from tailtune.judge.drift.reference import Limit, Reference, keys_of, measured_key, text_of
from tailtune.judge.drift.space import Space

Counts = dict[str, tuple[int, int]]
_BLOCK = 65_536


def count(
    reference: Reference, sample: Sample, day: int, earlier: Sequence[DayCounts], *, is_over: bool = True
) -> DayCounts:
    """Count a day's rows against the reference.

    Args:
        reference: Of the version that answered them.
        sample: All rows of the day. A measure that it does not list is not measured.
        day: Days since 1970-01-01 (UTC).
        earlier: What this made of earlier days of the same version, in any order; at least of the last 56 there are.
            Later days among them are not read.
        is_over: Whether no more rows of the day will come. A day that is not over is counted again with all of its
            rows; nothing is learnt from it until then, so that its evidence stays valid as it grows.

    Returns:
        Counts of all that was measured; the same again from the same arguments.
    """
    before = [each for each in earlier if each.day < day]
    counts: Counts = {}
    sums: dict[str, Sequence[float]] = {}
    for measure, cuts in reference.cuts.items():
        if measure in sample.numbers:
            values = np.asarray(sample.numbers[measure], dtype=np.float64)
            measured = int(np.count_nonzero(~np.isnan(values)))
            counts[measured_key(measure)] = (measured, values.size)
            counts |= {cut.key: (cut.beyond(values), measured) for cut in cuts}
    for measure in reference.categories:
        if measure in sample.categories:
            _count_categories(reference, measure, sample.categories[measure], day, before, counts, sums)
    for limit in reference.limits:
        _count_limit(limit, sample, counts)
    if reference.space is not None and sample.embeddings is not None:
        _count_vectors(reference.space, sample.embeddings, day, before, is_over, counts, sums)
    return DayCounts(day, sample.rows, counts, sums)


def _count_categories(
    reference: Reference,
    measure: str,
    values: Iterable[object],
    day: int,
    before: Sequence[DayCounts],
    counts: Counts,
    sums: dict[str, Sequence[float]],
) -> None:
    categories = reference.categories[measure]
    seen: Counter[str | None] = Counter()
    for value, rows in Counter(values).items():
        seen[text_of(value)] += rows
    hits, total = categories.in_order(seen), seen.total()
    counts |= {key: (int(rows), total) for key, rows in zip(keys_of(measure, categories), hits, strict=True)}
    for learnt in grown(measure, categories, day, before):
        counts[learnt.key] = (int(hits[learnt.chosen].sum()), total)
        sums[learnt.key] = learnt.reference


def _count_limit(limit: Limit, sample: Sample, counts: Counts) -> None:
    if limit.above is None:
        if limit.measure in sample.categories:
            values = sample.categories[limit.measure]
            counts[limit.key] = (sum(value is None for value in values), len(values))
    elif limit.measure in sample.numbers:
        numbers = np.asarray(sample.numbers[limit.measure], dtype=np.float64)
        measured = int(np.count_nonzero(~np.isnan(numbers)))
        counts[limit.key] = (int(np.count_nonzero(numbers > limit.above)), measured)


def _count_vectors(
    space: Space,
    embeddings: Floats,
    day: int,
    before: Sequence[DayCounts],
    is_over: bool,
    counts: Counts,
    sums: dict[str, Sequence[float]],
) -> None:
    there = np.isfinite(embeddings).all(axis=1)
    vectors = embeddings if there.all() else embeddings[there]
    clusters = space.in_clusters(vectors)
    counts |= {space.cluster_key(place): (int(hits), len(vectors)) for place, hits in enumerate(clusters)}
    sums[SUM] = (float(len(vectors)), *vectors.sum(axis=0, dtype=np.float64).tolist())
    learnt, tested = list(directions(space, day, before)), vectors
    if is_over and not before:
        learnt, tested = list(direction_tonight(space, vectors[::2], day)), vectors[1::2]
    for direction, hits in zip(learnt, _beyond(tested, learnt), strict=True):
        counts[direction.key] = (hits, len(tested))
        sums[direction.key] = direction.reference


def _beyond(vectors: Floats, learnt: Sequence[Direction]) -> list[int]:
    """Rows that lie beyond each direction's bound."""
    if not learnt:
        return []
    axes, bounds = np.stack([each.axis for each in learnt], axis=1), np.array([each.bound for each in learnt])
    hits = np.zeros(len(learnt), dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        hits += np.count_nonzero(vectors[start : start + _BLOCK] @ axes > bounds, axis=0)
    return hits.tolist()
