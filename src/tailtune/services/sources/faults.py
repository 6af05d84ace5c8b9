"""Faults of one source file: the first 20 in words, the rest counted."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from tailtune.core.errors import DataError, Fault

SHOWN = 20


class Faults:
    """One per reading of a file.

    Args:
        shown: How the file is named.
        hint: The next command.
        place: What stands between the file's name and a number: nothing for lines, `row ` for Parquet.

    Attributes:
        count: Faults so far; a row that cannot be read is one, also where several of its lines cannot.
        ended: The fault after which nothing more of the file can be read; None as long as there is none.
    """

    def __init__(self, shown: str, hint: str, place: str) -> None:
        self.shown, self.hint, self.place = shown, hint, place
        self.count = 0
        self.ended: Fault | None = None
        self._shown: list[Fault] = []

    @property
    def first(self) -> Fault | None:
        """The first fault; None as long as there is none."""
        return self._shown[0] if self._shown else None

    def add(self, number: int, what: str) -> None:
        """A fault on a line, or in a row; 0 stands for the file as a whole."""
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(self.fault(number, what))

    def end(self, number: int, what: str) -> None:
        """A fault after which nothing more of the file can be read."""
        self.add(number, what)
        self.ended = self.fault(number, what)

    def fault(self, number: int, what: str) -> Fault:
        """A fault with its place, as people read it."""
        return Fault(f"{self.shown}:{self.place}{number}" if number else self.shown, what)

    def missing_columns(self, names: Sequence[str], columns: Sequence[str], number: int = 1) -> bool:
        """Add a fault for every wanted column that is not there, or there twice. True when there was one."""
        before = self.count
        for name in dict.fromkeys(names):
            if name not in columns:
                self.add(number, missing(name, columns))
            elif list(columns).count(name) > 1:
                self.add(number, f"column `{name}` stands {list(columns).count(name)} times; expected once")
        return self.count > before

    def raise_any(self) -> None:
        """Tell what was found.

        Raises:
            DataError: There was a fault.
        """
        if not self.count:
            return
        more = self.count - len(self._shown)
        rest = [Fault(self.shown, f"and {more:,} more faults like these")] if more else []
        raise DataError([*self._shown, *rest], self.hint)


def missing(name: str, columns: Sequence[str]) -> str:
    """The sentence for a column that is not there."""
    near = nearest(name, columns)
    meant = f"; did you mean {near}?" if near else ""
    return f"no column `{name}`; the file has {', '.join(columns)}{meant}"


def nearest(name: str, columns: Sequence[str]) -> str | None:
    """The column that is probably meant: the same in other case, or spelled nearly so; None where none is."""
    same = [column for column in columns if column.strip().casefold() == name.strip().casefold()]
    return next(iter(same or get_close_matches(name, columns, n=1, cutoff=0.6)), None)


def one_fault(shown: str, what: str, hint: str) -> DataError:
    """An error about the file as a whole."""
    return DataError([Fault(shown, what)], hint)


def shown(value: Any, most: int = 40) -> str:
    """A value as faults quote it: its type, and at most so many characters."""
    short = repr(value)
    return f"{type(value).__name__} {short if len(short) <= most else short[: most - 3] + '…'}"


def encodable(text: str) -> bool:
    """Whether a text is valid Unicode: no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
