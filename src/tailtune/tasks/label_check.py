"""Check raw labels against the declaration: all undeclared names at once, with the rows that have them."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from tailtune.core.errors import Fault
from tailtune.core.figures import counted
from tailtune.tasks.declare import quoted

_ORIGINS, _LABELS, _REMEMBERED = 5, 20, 1000
RESPELLED = "label_spelling"
"""The change of a kept row whose label was spelled otherwise than declared."""
_SHOWN_GROUPS, _SHOWN_NAMES = 10, 6
_LOUD = frozenset("#%*@&")  # punctuation that tells names apart: C and C#


def skeleton(name: str) -> str:
    """What is left of a name without case, spaces, punctuation, invisible characters and ways to compose a letter.

    Punctuation between digits stays (`1.1` is not `11`), and a name without a letter keeps all of it (`-1` is not `1`).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(char for char in folded if unicodedata.category(char) != "Cf" and not "\ufe00" <= char <= "\ufe0f")
    if not any(map(str.isalpha, seen)):
        return "".join(seen.split())
    numbers = re.sub(r"(?<=\d)[\W_]+(?=\d)", "\x00", seen)
    return "".join(
        char for char in numbers if char == "\x00" or char in _LOUD or unicodedata.category(char)[0] not in "PZC"
    )


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ in nothing but case, spaces, punctuation or invisible characters."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[skeleton(name)].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def look_alike_lines(rows: Mapping[str, int], noun: str, remedy: str) -> list[str]:
    """A line per group of look-alikes: its names, most frequent first, with their rows; then what to do about them.

    Args:
        rows: Name → rows.
        noun: What a name is: label, field.
        remedy: As `Task.respelling`.

    Returns:
        The lines; none when no names look alike.
    """
    groups = look_alikes(sorted((name for name in rows if rows[name]), key=lambda name: -rows[name]))
    lines = []
    for group in groups[:_SHOWN_GROUPS]:
        names = [f"{visible(name)} ({rows[name]:,})" for name in group[:_SHOWN_NAMES]]
        more = f" and {len(group) - _SHOWN_NAMES} more" if len(group) > _SHOWN_NAMES else ""
        lines.append(f"{noun}s that look alike: {', '.join(names)}{more}")
    rest = len(groups) - _SHOWN_GROUPS
    if rest > 0:
        lines.append(f"and {rest:,} more groups of {noun}s that look alike")
    return [*lines, remedy.format(*map(quoted, groups[0][:2]))] if groups and remedy else lines


def visible(name: str) -> str:
    """A name with its invisible characters as escapes, so that two that look the same can be told apart."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


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
        name_of: The declared name that a raw one stands for.
    """

    def __init__(
        self,
        known: Sequence[str],
        declared_in: str,
        data: str,
        noun: str = "label",
        name_of: Callable[[str], str] = str,
    ) -> None:
        self._name_of = name_of
        self.seen: Counter[str] = Counter()
        self._known, self._declared_in, self._data, self._noun = frozenset(known), declared_in, data, noun
        self._unknown: dict[str, list[str]] = {}
        self._rows: dict[str, int] = {}
        self._other_rows = 0

    def add(self, label: str, origin: str) -> None:
        """Note a label; one that is not in the set is a fault."""
        label = self._name_of(label)
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
        declared = {skeleton(name): name for name in self._known} if ordered else {}
        for label in ordered[:_LABELS]:
            origins, rows = self._unknown[label], self._rows[label]
            near = get_close_matches(label, self._known, n=1, cutoff=0.6)
            near = [declared[skeleton(label)]] if skeleton(label) in declared else near
            meant = f"; did you mean {near[0]}?" if near else f", which has {len(self._known)} {self._noun}s"
            more = f" and {rows - len(origins):,} more" if rows > len(origins) else ""
            what = f"{self._noun} `{visible(label)}` is not in {self._declared_in}{meant}"
            yield Fault(f"{self._data}/{origins[0]}", f"{what} ({counted(rows, 'row')}: {', '.join(origins)}{more})")
        rest = len(ordered) - _LABELS
        if rest > 0:
            rows = self._other_rows + sum(self._rows[label] for label in ordered[_LABELS:])
            least = "at least " if self._other_rows else ""
            yield Fault(self._data, f"and {least}{rest:,} more {self._noun}s that are not in the set, on {rows:,} rows")
