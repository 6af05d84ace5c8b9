"""Few examples that show many labels or fields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailtune.predictors.base import Floats

_TWIN = 0.95  # cosine above which a second example of the same says little that is new


def most_covering(keys: Sequence[Sequence[str]], vectors: Floats, shots: int, seed: int) -> list[int]:
    """Choose rows one by one, each the one that shows most that was not shown yet.

    A key that was shown c times counts 0.5 to the power c. Ties go to rows whose keys are more frequent, then to the
    row nearest to the middle of its keys: a typical example, not an odd one. Near-duplicates of a chosen row come last.

    Args:
        keys: What each row shows; n rows.
        vectors: Their sentence vectors, shape (n, d), L2-normalised.
        shots: Rows to choose; fewer when there are fewer.
        seed: Of ties that are left.

    Returns:
        Places of the chosen rows, most telling first.

    Source: greedy maximum coverage (Nemhauser, Wolsey and Fisher 1978).
    """
    names = sorted({key for held in keys for key in held})
    if not names:
        return list(range(min(shots, len(keys))))
    place = {name: j for j, name in enumerate(names)}
    shows = np.zeros((len(keys), len(names)), dtype=np.float32)
    for i, held in enumerate(keys):
        shows[i, [place[key] for key in held]] = 1.0
    frequent, typical = _frequency(shows), _typicality(shows, vectors)
    lots = np.random.default_rng(seed).permutation(len(keys))
    counted, twin = np.zeros(len(names)), np.zeros(len(keys), dtype=np.bool_)
    left = np.ones(len(keys), dtype=np.bool_)
    chosen: list[int] = []
    for _ in range(min(shots, len(keys))):
        gain = np.round(shows @ 0.5**counted, 6)
        best = int(np.lexsort((lots, -typical, -frequent, -gain, twin, ~left))[0])
        chosen.append(best)
        left[best] = False
        counted += shows[best]
        twin |= vectors @ vectors[best] > _TWIN
    return chosen


def _frequency(shows: Floats) -> Floats:
    """Mean share of rows that have a row's keys, shape (n,)."""
    share = shows.mean(axis=0)
    result: Floats = np.round(shows @ share / np.maximum(shows.sum(axis=1), 1), 6)
    return result


def _typicality(shows: Floats, vectors: Floats) -> Floats:
    """Mean cosine of a row to the middles of its keys, shape (n,)."""
    middles = shows.T @ vectors
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-9)
    result: Floats = (shows * (vectors @ middles.T)).sum(axis=1) / np.maximum(shows.sum(axis=1), 1)
    return result
