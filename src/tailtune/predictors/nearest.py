"""Nearest neighbours of vectors by exact search, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats

_BLOCK_ROWS, _BLOCK_SIMILARITIES = 512, 2**25  # of a block, kept at once: rows × indexed rows × 4 bytes


def nearest(queries: Floats, index: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """The rows of an index that are most similar to each query, sorted by place.

    The similarities are those of a query alone, to the bit, whatever it is asked with.

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
        similarity = queries[block] @ index.T
        positions[block] = np.sort(np.argpartition(-similarity, count - 1, axis=1)[:, :count], axis=1)
    for query, chosen, cosine in zip(queries, positions, cosines, strict=True):
        cosine[:] = index[chosen] @ query
    return positions, cosines
