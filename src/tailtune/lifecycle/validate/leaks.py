"""The leakage gate: does anything of an earlier split stand in a later one? Looks at the curated files alone.

Curation removed such rows by its own decisions; this counts again from what it wrote, so a fault there, or a
file changed by hand, is found.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from tailtune.core.progress import Progress
from tailtune.services.near_duplicates import NearDuplicates, normal

Column = list[str | None]
_TICK_ROWS = 5000


def same(keys: Sequence[Hashable | None], splits: Sequence[str], origins: Sequence[str]) -> Column:
    """Where each key also stands in an earlier split.

    Args:
        keys: Of the rows, in order of splits; None for a row that has no key.
        splits: Of the rows.
        origins: Of the rows.

    Returns:
        For each row the origin of the first row of another, earlier split with its key; None without one.
    """
    first: dict[Hashable, int] = {}
    found: Column = []
    for place, key in enumerate(keys):
        earlier = place if key is None else first.setdefault(key, place)
        found.append(origins[earlier] if splits[earlier] != splits[place] else None)
    return found


def forms(texts: Sequence[str]) -> Iterator[int]:
    """A key per text, equal for texts of one normal form."""
    # 64-bit hashes of this process: a chance collision among a million texts has odds of 1 in 10 million.
    return (hash(normal(text)) for text in texts)


def near(
    texts: Sequence[str], splits: Sequence[str], origins: Sequence[str], similarity: float, progress: Progress
) -> Column:
    """Where each text nearly stands in an earlier split, in the same order and form as `same`."""
    twins = NearDuplicates(texts, similarity, lambda done: progress.at(done, len(texts), "rows sketched"))
    found: Column = []
    entered = 0
    for place, split in enumerate(splits):
        if place and splits[place - 1] != split:
            for row in range(entered, place):
                twins.enter(row)
            entered = place
        if place % _TICK_ROWS == 0:
            progress.at(place, len(texts), "rows compared over splits")
        others = twins.of(place) if entered else []
        found.append(origins[others[0]] if others else None)
    return found
