"""What a measure of quality counts: hits out of sizes, row by row. Accuracy, F1 and recall are all made of it.

A measure is the mean over its parts of hits / sizes, both summed over rows. Accuracy has one part, in which every row
has size 1. Micro F1 has one part, in which a row has 2 × its right items as hits, and the items answered and expected
as size. Macro F1 has a part for each label. So one interval and one paired test serve every measure (`intervals.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Counted:
    """One per measure, predictor and set of rows: m entries, each of one row and one part.

    Attributes:
        rows: How many rows there are.
        row: Place of each entry's row, 0 to rows − 1, shape (m,). A row may have any number of entries.
        part: Place of each entry's part, 0 to parts − 1, shape (m,).
        hits: What was right, 0 to `sizes`, shape (m,).
        sizes: Out of how much, at least 0, shape (m,).
        parts: How many parts the measure is the mean of; those without any size do not count.
    """

    rows: int
    row: Places
    part: Places
    hits: Floats
    sizes: Floats
    parts: int = 1

    @classmethod
    def shares(cls, right: NDArray[np.bool_], counts: NDArray[np.bool_] | None = None) -> Counted:
        """The share of right rows.

        Args:
            right: Whether each row is right, shape (n,).
            counts: Whether each row counts at all, shape (n,), as for the recall of one label; None counts all.
        """
        place = np.arange(right.size) if counts is None else np.flatnonzero(counts)
        zeros, hits = np.zeros(place.size, dtype=np.int64), right[place].astype(np.float64)
        return cls(int(right.size), place, zeros, hits, np.ones(place.size))

    @classmethod
    def ratio(cls, hits: NDArray[np.number], sizes: NDArray[np.number]) -> Counted:
        """The mean over parts of hits / sizes.

        Args:
            hits: Shape (n,) for one part, (n, parts) for several.
            sizes: Of the same shape.
        """
        wide_hits, wide_sizes = (np.atleast_2d(each.T).T.astype(np.float64) for each in (hits, sizes))
        row, part = np.nonzero(wide_sizes)
        parts = wide_sizes.shape[1]
        return cls(len(wide_sizes), row, part, wide_hits[row, part], wide_sizes[row, part], parts)

    def of_rows(self, chosen: NDArray[np.bool_]) -> Counted:
        """The same measure over some of the rows.

        Args:
            chosen: Which, shape (rows,).
        """
        place, kept = np.cumsum(chosen) - 1, chosen[self.row]
        return Counted(
            int(chosen.sum()), place[self.row[kept]], self.part[kept], self.hits[kept], self.sizes[kept], self.parts
        )

    @cached_property
    def value(self) -> float:
        """The measure, 0 to 1; NaN when nothing counts."""
        counting = self.part_sizes > 0
        return float((self.part_hits[counting] / self.part_sizes[counting]).mean()) if counting.any() else math.nan

    @cached_property
    def part_hits(self) -> Floats:
        """Sum of hits of each part, shape (parts,)."""
        return np.bincount(self.part, self.hits, self.parts).astype(np.float64)

    @cached_property
    def part_sizes(self) -> Floats:
        """Sum of sizes of each part, shape (parts,)."""
        return np.bincount(self.part, self.sizes, self.parts).astype(np.float64)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is a plain share of rows, of all or of some: one entry a row, right or not."""
        alone = self.parts == 1 and np.unique(self.row).size == self.row.size
        return alone and bool(np.isin(self.hits, (0.0, 1.0)).all()) and bool((self.sizes == 1).all())

    def influence(self) -> Floats:
        """How far each row pulls the measure from its value, shape (rows,): they add up to 0.

        The measure's error is about the sum of what other rows would have pulled, so that its variance can be read off
        these (the delta method, as for any ratio in survey sampling).
        """
        return self.pulls(self.part_hits, self.part_sizes)

    def pulls(self, part_hits: Floats, part_sizes: Floats) -> Floats:
        """What each row adds to hits / sizes − `part_hits` / `part_sizes`, mean over parts, shape (rows,)."""
        counting = part_sizes > 0
        share, weight = np.zeros(self.parts), np.zeros(self.parts)
        share[counting] = part_hits[counting] / part_sizes[counting]
        weight[counting] = 1 / (part_sizes[counting] * counting.sum())
        pulled = (self.hits - share[self.part] * self.sizes) * weight[self.part]
        return np.bincount(self.row, pulled, self.rows).astype(np.float64)


def groups_of(names: Sequence[str | None]) -> Places | None:
    """Rows' groups as numbers, shape (n,); a row without a group is its own. None when no row has a group."""
    if all(name is None for name in names):
        return None
    known: dict[str, int] = {}
    alone = iter(range(len(names), 2 * len(names)))
    numbers = [next(alone) if name is None else known.setdefault(name, len(known)) for name in names]
    return np.unique(np.array(numbers, dtype=np.int64), return_inverse=True)[1].astype(np.int64)


def summed(values: Floats, groups: Places | None) -> Floats:
    """Sums by group, shape (g,); the values themselves where rows have no groups."""
    return values if groups is None else np.bincount(groups, values).astype(np.float64)
