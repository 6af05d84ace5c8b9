"""Rows that repeat another row: exactly, or nearly. Greedy in file order.

A row is dropped only for a row that stands before it and was kept (or for a row of the given test file), so
appending rows never changes what was decided about earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tailtune.core.progress import Progress
from tailtune.lifecycle.curate.drops import Dropped, Drops
from tailtune.lifecycle.curate.intake import Tidy
from tailtune.services.near_duplicates import Twins

_TICK_ROWS = 20_000
_NAMED_CHARS = 80


def exact(tests: Sequence[Tidy], rows: Iterable[Tidy], drops: Drops) -> list[Tidy]:
    """Keep the first row of every normal form that does not stand in the test file.

    Args:
        tests: Rows of the given test file; they take no part among themselves.
        rows: Rows of the training file, in order.
        drops: Takes the others.
    """
    in_test: dict[bytes, list[Tidy]] = {}
    for test in tests:
        in_test.setdefault(test.form, []).append(test)
    kept: list[Tidy] = []
    first: dict[bytes, int] = {}
    for tidy in rows:
        twins = in_test.get(tidy.form)
        if twins is not None:
            drops.add(_repeat(tidy, "in_test_file", twins))
            continue
        place = first.setdefault(tidy.form, len(kept))
        if place == len(kept):
            kept.append(tidy)
            continue
        earlier = kept[place]
        same = earlier.row.label == tidy.row.label
        drops.add(_repeat(tidy, "duplicate" if same else "duplicate_other_label", [earlier]))
    return kept


def near(
    tests: Sequence[Tidy], rows: Sequence[Tidy], similarity: float, drops: Drops, progress: Progress
) -> list[Tidy]:
    """Keep the rows that are no near twins of a test row or of an earlier kept row.

    Args:
        tests: Rows of the given test file.
        rows: Rows of the training file without exact repeats, in order.
        similarity: Jaccard similarity of character 5-grams from which a row is a twin.
        drops: Takes the others.
        progress: Told about the two passes.
    """
    everyone = [*tests, *rows]
    total = len(everyone)
    texts = [tidy.row.text for tidy in everyone]
    twins = Twins(texts, similarity, lambda done: progress.at(done, total, "rows sketched"))
    for place in range(len(tests)):
        twins.enter(place)
    kept: list[Tidy] = []
    for place in range(len(tests), total):
        if place % _TICK_ROWS == 0:
            progress.at(place, total, "rows compared")
        found = twins.of(place)
        in_test = [everyone[i] for i in found if i < len(tests)]
        if in_test:
            drops.add(_repeat(everyone[place], "near_test_file", in_test))
        elif found:
            drops.add(_repeat(everyone[place], "near_duplicate", [everyone[found[0]]]))
        else:
            twins.enter(place)
            kept.append(everyone[place])
    return kept


def _repeat(tidy: Tidy, reason: str, of: Sequence[Tidy]) -> Dropped:
    other = of[0].row
    named = other.label if len(other.label) <= _NAMED_CHARS else "otherwise"
    relabelled = "" if other.label == tidy.row.label else f" (labelled {named})"
    origins = tuple(twin.row.origin for twin in of)
    return Dropped(tidy.row.origin, reason, f"of {other.origin}{relabelled}", tidy.row.label, origins)
