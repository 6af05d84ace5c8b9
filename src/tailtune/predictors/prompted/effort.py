"""How much a search for a better prompt may take at most, in rows, answers and reflections."""

from __future__ import annotations

import math
from dataclasses import dataclass

FEWEST_ROWS = 4
"""Two to compare candidates on, and two to reflect on."""
_SELECTION_SHARE = 0.2  # of the calls, for one look at a candidate
_REFLECTED_ROWS = 4


@dataclass(frozen=True, slots=True)
class Effort:
    """One per search.

    Attributes:
        calls: Rows that the rung is asked for at most.
        selection_rows: Labelled rows that candidates are compared on; as many others are reflected on.
        batch_rows: Rows of one reflection.
        reflections: Times that the reflecting model is asked at most.
    """

    calls: int
    selection_rows: int
    batch_rows: int
    reflections: int

    @property
    def rows(self) -> int:
        """Labelled rows that are used."""
        return 2 * self.selection_rows


def effort(rows: int, calls: int) -> Effort:
    """What a search may take.

    Args:
        rows: Labelled rows that there are.
        calls: Rows that the rung may be asked for.

    Raises:
        ValueError: Fewer than 4 rows.
    """
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} rows, expected at least {FEWEST_ROWS}")
    selection = max(2, min(rows // 2, int(calls * _SELECTION_SHARE)))
    batch = min(_REFLECTED_ROWS, selection)
    # A reflection is on answers to one batch, and what it proposes is tried on the same.
    return Effort(calls, selection, batch, max(0, math.ceil((calls - selection) / (2 * batch))))
