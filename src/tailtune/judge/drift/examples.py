"""Rows of a window that show what was found."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import Finding, Sample
from tailtune.judge.drift.reference import NO_ANSWER, OTHER, Reference, text_of
from tailtune.judge.drift.space import EMBEDDING, Space

Places = NDArray[np.intp]


def examples(reference: Reference, sample: Sample, finding: Finding, most: int = 20) -> tuple[int, ...]:
    """Places of rows that count for a finding, the most typical first.

    Of a number, the most extreme; of a category, in the sample's order; of the embedding as a whole, those that look
    most like the window and least like the reference; of the answers as a whole, rows of the categories that grew most.

    Args:
        reference: Of the version.
        sample: The window's rows, or some of them.
        finding: From a look.
        most: How many at most.

    Returns:
        Places in the sample; none where the sample does not have the measure.
    """
    if finding.measure == EMBEDDING:
        return () if reference.space is None else _of_vectors(reference.space, sample, finding, most)
    if finding.measure in sample.categories and finding.measure in reference.categories:
        return _of_category(reference, sample, finding, most)
    return _of_number(reference, sample, finding, most)


def _of_number(reference: Reference, sample: Sample, finding: Finding, most: int) -> tuple[int, ...]:
    if finding.measure not in sample.numbers:
        return ()
    values = np.asarray(sample.numbers[finding.measure], dtype=np.float64)
    if finding.part == "measured":
        chosen = np.flatnonzero(np.isnan(values) != finding.more)
        return tuple(int(place) for place in chosen[:most])
    sign = 1.0 if finding.part.startswith("above") == finding.more else -1.0
    order = np.argsort(np.where(np.isnan(values), np.inf, -sign * values), kind="stable")
    return tuple(int(place) for place in order[:most] if not np.isnan(values[place]))


def _of_category(reference: Reference, sample: Sample, finding: Finding, most: int) -> tuple[int, ...]:
    names = [text_of(value) for value in sample.categories[finding.measure]]
    categories = reference.categories[finding.measure]
    own = frozenset(categories.names)
    if finding.part == NO_ANSWER:
        chosen = [place for place, name in enumerate(names) if name is None]
    elif finding.part == OTHER:
        chosen = [place for place, name in enumerate(names) if name is not None and name not in own]
    elif finding.part:
        chosen = [place for place, name in enumerate(names) if name == finding.part]
    else:
        usual = {name: rows + categories.testing.get(name, 0) for name, rows in categories.learning.items()}
        total = max(1, sum(usual.values()))
        seen = Counter(names)
        gains = {name: rows / len(names) - usual.get(name, 0) / total for name, rows in seen.items()}
        chosen = sorted(range(len(names)), key=lambda place: -gains[names[place]])
    return tuple(chosen[:most])


def _of_vectors(space: Space, sample: Sample, finding: Finding, most: int) -> tuple[int, ...]:
    if sample.embeddings is None:
        return ()
    there = np.flatnonzero(np.isfinite(sample.embeddings).all(axis=1))
    if not there.size:
        return ()
    vectors = sample.embeddings[there]
    if finding.part:
        centre = space.centres[int(finding.part.removeprefix("cluster ")) - 1]
        nearness = vectors @ centre - float(centre @ centre) / 2
    else:
        nearness = vectors @ space.direction(vectors.sum(axis=0, dtype=np.float64), len(vectors))
    return tuple(int(there[place]) for place in np.argsort(-nearness, kind="stable")[:most])
