"""Check raw labels against the declaration: all undeclared names at once, with the rows that have them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from tailtune.core.errors import Fault

_ORIGINS, _LABELS, _REMEMBERED = 5, 20, 1000


class LabelCheck(ABC):
    """One per reading of files: compares the labels of all rows with what the use case declares.

    Attributes:
        seen: Label, or field → rows that have it.
    """

    seen: dict[str, int]

    @abstractmethod
    def add(self, label: Any, origin: str) -> None:
        """Note a row's raw label."""

    @abstractmethod
    def faults(self) -> Iterator[Fault]:
        """A fault per name that is not declared, all of them at once."""


class NameCheck(LabelCheck):
    """One per reading of files: every row has one name out of a closed set.

    Args:
        known: The declared names.
        declared_in: How faults name the file that declares them.
        data: How faults name the folder that origins are relative to.
        noun: What a name is: label, field.
    """

    def __init__(self, known: Sequence[str], declared_in: str, data: str, noun: str = "label") -> None:
        self.seen: Counter[str] = Counter()
        self._known, self._declared_in, self._data, self._noun = frozenset(known), declared_in, data, noun
        self._unknown: dict[str, list[str]] = {}
        self._rows: dict[str, int] = {}
        self._other_rows = 0

    def add(self, label: str, origin: str) -> None:
        """Note a label; one that is not in the set is a fault."""
        if label in self._known:
            self.seen[label] += 1
            return
        if label not in self._rows and len(self._rows) >= _REMEMBERED:
            self._other_rows += 1  # the wrong column was named: a million labels are not worth remembering
            return
        self._rows[label] = self._rows.get(label, 0) + 1
        origins = self._unknown.setdefault(label, [])
        if len(origins) < _ORIGINS:
            origins.append(origin)

    def faults(self) -> Iterator[Fault]:
        """A fault per unknown label, most frequent first; the rest counted."""
        ordered = sorted(self._rows, key=lambda label: -self._rows[label])
        for label in ordered[:_LABELS]:
            origins, rows = self._unknown[label], self._rows[label]
            near = get_close_matches(label, self._known, n=1, cutoff=0.6)
            meant = f"; did you mean {near[0]}?" if near else f", which has {len(self._known)} {self._noun}s"
            more = f" and {rows - len(origins):,} more" if rows > len(origins) else ""
            count = f"{rows:,} row{'s' if rows > 1 else ''}"
            yield Fault(
                f"{self._data}/{origins[0]}",
                f"{self._noun} `{label}` is not in {self._declared_in}{meant} ({count}: {', '.join(origins)}{more})",
            )
        rest = len(ordered) - _LABELS
        if rest > 0:
            rows = self._other_rows + sum(self._rows[label] for label in ordered[_LABELS:])
            least = "at least " if self._other_rows else ""
            yield Fault(self._data, f"and {least}{rest:,} more {self._noun}s that are not in the set, on {rows:,} rows")
