"""Where characters go when a text is edited, so that spans can go with them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """One per stretch of a text that is replaced: `text[start:end]` becomes `new`."""

    start: int
    end: int
    new: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after its edits, which are sorted and apart."""
    parts, reached = [], 0
    for edit in edits:
        parts += [text[reached : edit.start], edit.new]
        reached = edit.end
    return text if not parts else "".join([*parts, text[reached:]])


class Moves:
    """One per pass over a text: where each offset goes.

    Args:
        edits: What the pass did, sorted and apart.
    """

    def __init__(self, edits: Iterable[Edit]) -> None:
        self._edits = tuple(edits)
        self._starts = [edit.start for edit in self._edits]
        self._ends = [edit.end for edit in self._edits]
        shift, shifts = 0, [0]
        for edit in self._edits:
            shift += len(edit.new) - (edit.end - edit.start)
            shifts.append(shift)
        self._shifts = shifts

    def __bool__(self) -> bool:
        """Whether anything moved."""
        return bool(self._edits)

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """Where a span's characters stand after the pass.

        A span that reaches into a replaced stretch grows to hold all that came in its place; but where only white space
        or nothing came, it gives that end up instead.

        Args:
            start: Offset of its first character.
            end: Offset after its last, above start.

        Returns:
            The same offsets in the new text; two equal ones when nothing of the span is left.
        """
        left, right = self._left(start, True), self._right(end, True)
        if left < right:
            return left, right
        left, right = self._left(start, False), self._right(end, False)
        return left, max(left, right)

    def _left(self, start: int, trim: bool) -> int:
        before = bisect_right(self._ends, start)  # edits that end at or before the start
        if before < len(self._edits) and self._starts[before] <= start:
            edit = self._edits[before]
            new = edit.start + self._shifts[before]
            return new + len(edit.new) if trim and not edit.new.strip() else new
        return start + self._shifts[before]

    def _right(self, end: int, trim: bool) -> int:
        after = bisect_left(self._starts, end)  # edits that begin before the end
        if after and self._ends[after - 1] >= end:
            edit = self._edits[after - 1]
            new = edit.start + self._shifts[after - 1]
            return new if trim and not edit.new.strip() else new + len(edit.new)
        return end + self._shifts[after]
