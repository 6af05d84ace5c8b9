"""Nearest neighbours of vectors by exact search, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats

_BLOCK_ROWS, _BLOCK_SIMILARITIES = 512, 2**25  # of a block, kept at once: rows × indexed rows × 4 bytes
_ROUNDING = 1e-5  # a product of unit vectors in float32 is off by less


def nearest(queries: Floats, index: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """The rows of an index that are most similar to each query, sorted by place.

    Which they are and how similar, is to the bit what it is for a query alone, whatever it is asked with: a product of
    a block only says which rows come into question. Of equally similar rows the first ones are taken.

    Args:
        queries: Unit vectors, shape (n, width).
        index: Unit vectors, shape (rows, width).
        count: How many to find, 1 to rows.

    Returns:
        Their positions in the index and their cosine similarities, both of shape (n, count).
    """
    positions = np.empty((len(queries), count), dtype=np.intp)
    cosines = np.empty((len(queries), count), dtype=np.float32)
    size = max(1, min(_BLOCK_ROWS, _BLOCK_SIMILARITIES // len(index)))
    for start in range(0, len(queries), size):
        block = slice(start, start + size)
        similarities = queries[block] @ index.T
        least = np.partition(similarities, -count, axis=1)[:, -count] - 2 * _ROUNDING
        for at, row in enumerate(similarities, start):
            positions[at], cosines[at] = _best(queries[at], index, np.flatnonzero(row >= least[at - start]), count)
    return positions, cosines


def _best(
    query: Floats, index: Floats, candidates: NDArray[np.intp], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    exact = (index[candidates] * query.astype(np.float64)).sum(axis=1)
    chosen = np.sort(np.argsort(-exact, kind="stable")[:count])
    return candidates[chosen], exact[chosen]
