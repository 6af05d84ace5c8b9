"""Groups of texts unlike any known one: what may be classes that nobody has labelled yet.

A text is unlike known ones where its nearest neighbours among texts of then and now are nearly all of now. Neighbours
are asked rather than a distance: a new class may lie between others, and a rare old one far from all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats

FEWEST = 10
"""Texts that a group has at least."""
_KNOWN_NEIGHBOURS, _MOST_KNOWN = 5, 1
"""So many neighbours would be known ones if nothing were new, and so many of them are at most."""
_NEAREST, _INSIDE, _MOST_INSIDE = 10, 3, 0.2
"""A known text of whose nearest so many are of a group lies in it; of a new class, few do for its size."""
_WIDER = 1.15
"""How far texts of a group may lie apart on average, as a multiple of the median of a known class."""
_MOST_GROUPED = 4_000
"""Of more unlike texts so many are grouped: their distances are in memory pair by pair."""
_PAIRS = 200_000
_SEED = 17

Places = NDArray[np.int64]


def unlike_groups(known: Floats, labels: Sequence[str], now: Floats) -> list[Places]:
    """Places in `now` of texts that are alike among themselves and unlike known ones, the largest group first.

    Within a group those nearest to its centre come first. Limit: a pocket of a known class of which, by chance, no
    known text is there looks the same; on BANKING77 every second look of 5,000 rows has one.

    Args:
        known: Vectors of texts whose class is known, (m, width); of any length.
        labels: Their classes, (m,): how far texts of one class lie apart is how far those of a group may.
        now: Vectors of texts whose class is not known, (n, width).
    """
    from sklearn.cluster import AgglomerativeClustering

    if len(known) < 2 or len(now) < FEWEST:
        return []
    known, now = _unit(known), _unit(now)
    near = _nearest(now, known)
    places = np.flatnonzero((near[: len(now)] >= len(now)).sum(axis=1) <= _MOST_KNOWN)
    places = places[:: max(1, math.ceil(places.size / _MOST_GROUPED))]
    if places.size < FEWEST:
        return []
    width = max(_WIDER * _within(known, labels), 1e-6)
    grouping = AgglomerativeClustering(None, distance_threshold=width, metric="cosine", linkage="average")
    group = grouping.fit_predict(now[places])
    groups = [places[group == number] for number in range(group.max() + 1)]
    new = [each for each in groups if each.size >= FEWEST and not _has_known(each, near, len(now))]
    return sorted((_by_centre(each, now) for each in new), key=lambda each: -each.size)


def _unit(vectors: Floats) -> Floats:
    made: Floats = vectors.astype(np.float32)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    return made


def _nearest(now: Floats, known: Floats) -> Places:
    """Of each text, those of now first: its nearest ones, so many that about five are known if nothing is new."""
    from sklearn.neighbors import NearestNeighbors

    everyone = np.concatenate([now, known])
    neighbours = min(math.ceil(_KNOWN_NEIGHBOURS * len(everyone) / len(known)), len(everyone) - 1)
    search = NearestNeighbors(n_neighbors=neighbours + 1, algorithm="brute", metric="cosine").fit(everyone)
    near: Places = search.kneighbors(everyone, return_distance=False)  # each is its own nearest
    return near


def _has_known(group: Places, near: Places, now: int) -> bool:
    """Whether so many known texts lie in a group that it is a known class which has grown."""
    members = np.zeros(len(near), dtype=bool)
    members[group] = True
    inside = members[near[now:, : _NEAREST + 1]].sum(axis=1) >= _INSIDE
    return bool(inside.sum() > _MOST_INSIDE * group.size)


def _within(known: Floats, labels: Sequence[str]) -> float:
    """The median distance (1 − cosine) of two texts of one class."""
    random, names = np.random.default_rng(_SEED), np.array(labels, dtype=object)
    of_class = [np.flatnonzero(names == name) for name in sorted(set(labels))]
    distances = []
    for rows in of_class:
        if rows.size > 1:
            pairs = random.integers(rows.size, size=(max(1, _PAIRS // len(of_class)), 2))
            pairs = pairs[pairs[:, 0] != pairs[:, 1]]
            distances.append(1 - np.einsum("ij,ij->i", known[rows[pairs[:, 0]]], known[rows[pairs[:, 1]]]))
    return float(np.median(np.concatenate(distances))) if distances else 0.0


def _by_centre(places: Places, now: Floats) -> Places:
    centre = now[places].mean(axis=0)
    return places[np.argsort(-(now[places] @ centre), kind="stable")]
