"""All places at which a text says a value, the best first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from tailtune.tasks.extraction.schema import FieldSpec, Kind
from tailtune.tasks.extraction.values.dates import read_date
from tailtune.tasks.extraction.values.finders import stretches
from tailtune.tasks.extraction.values.folding import Folded, fold, scanned, squeezed
from tailtune.tasks.extraction.values.money import read_amount, read_money
from tailtune.tasks.extraction.values.numbers import read_number
from tailtune.tasks.extraction.values.outcome import Refusal
from tailtune.tasks.extraction.values.phones import read_email, read_phone
from tailtune.tasks.extraction.values.rules import Rules, rules_of
from tailtune.tasks.extraction.values.times import read_time

_ALIKE = 90.0  # per cent of characters
_SHORTEST_ALIKE = 5
_LONGEST_ALIKE = 200
_AROUND = 40  # characters before a place in which its field's name counts; half of it behind
_PART = re.compile(r"[.;|\n](?:\s|$)")  # where one statement ends
_PLAIN = re.compile(r"[\W_]+")
_JOINED = re.compile(r"[\w\s\-_./#:–—]+")
EXACT, LOOSE, SCANNED, ALIKE = range(4)


class Place(NamedTuple):
    """One per stretch that says a value; smaller is better.

    Attributes:
        rank: How sure it is: exact, loose (part of a word, an amount without currency), scanned, alike.
        uncued: Minus the words of the field's name around it, in the same statement.
        shorter: Minus its length.
    """

    rank: int
    uncued: int
    shorter: int
    start: int
    end: int


class Reader:
    """One per text: finds places, and remembers what it read for the next value.

    Args:
        text: Any length.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[Kind, list[tuple[int, int, str]]] = {}
        self._read: dict[tuple[Any, ...], Any] = {}

    def places(self, field: FieldSpec, value: Any, anchor: str | None = None) -> list[Place]:
        """Every place at which the text says a value, the best first.

        Args:
            field: Whose value.
            value: One value, valid.
            anchor: The day that relative dates count from, `2026-03-12`.
        """
        rules = rules_of(field)
        places = [self._place(field, *at) for at in self._typed(field, rules, value, anchor)]
        if not places:
            written = value["amount"] if isinstance(value, dict) and "amount" in value else value
            places = [self._place(field, *at) for at in self._written(str(written), field.kind, rules.hints.upper)]
        return sorted(places)

    @cached_property
    def _folded(self) -> Folded:
        return fold(self._text)

    @cached_property
    def _squeezed(self) -> Folded:
        return squeezed(self._folded)

    @cached_property
    def _scanned(self) -> Folded:
        return scanned(self._folded)

    def _place(self, field: FieldSpec, rank: int, start: int, end: int) -> Place:
        before = _PLAIN.sub(" ", f" {_PART.split(self._text[max(0, start - _AROUND) : start].lower())[-1]}")
        behind = _PLAIN.sub(" ", f" {_PART.split(self._text[end : end + _AROUND // 2].lower())[0]}")
        words = [f" {word[:5]}" for word in re.split(r"[\W_]+", field.name.lower()) if len(word) > 2]
        cues = sum((word in before) + (word in behind) for word in words)
        return Place(rank, -cues, start - end, start, end)

    def _typed(self, field: FieldSpec, rules: Rules, value: Any, anchor: str | None) -> Iterator[tuple[int, int, int]]:
        """Stretches of the field's shape that read as the value."""
        for start, end, surface in self._stretches(field.kind):
            rank = self._says(field.kind, surface, rules, value, anchor)
            if rank is not None:
                yield rank, start, end

    def _stretches(self, kind: Kind) -> list[tuple[int, int, str]]:
        if kind not in self._found:
            self._found[kind] = [
                (start, end, " ".join(self._text[start:end].split())) for start, end in stretches(kind, self._text)
            ]
        return self._found[kind]

    def _says(self, kind: Kind, surface: str, rules: Rules, value: Any, anchor: str | None) -> int | None:
        if kind == "money":
            return self._says_money(surface, rules, value)
        if kind in ("number", "integer"):
            read = self._once(("number", surface, kind), lambda: read_number(surface, kind == "integer"))
            return EXACT if not isinstance(read, Refusal) and any(abs(one - value) < 1e-9 for one in read) else None
        if kind == "date":
            since, day_first = date.fromisoformat(anchor) if anchor else None, rules.hints.day_first
            key = ("date", surface, anchor, day_first)
            day = self._once(key, lambda: read_date(surface, since, day_first, thorough=False))
            return EXACT if isinstance(day, date) and day.isoformat() == value else None
        if kind == "time":
            return EXACT if self._once(("time", surface), lambda: read_time(surface)) == str(value)[:5] else None
        if kind == "phone":
            if re.sub(r"\D", "", surface)[-6:] != str(value)[-6:]:
                return None
            return EXACT if read_phone(surface, rules.hints.region) == value else None
        return EXACT if kind == "email" and read_email(surface) == value else None

    def _says_money(self, surface: str, rules: Rules, value: Any) -> int | None:
        amount = self._once(("amount", surface), lambda: read_amount(surface))
        if isinstance(amount, Refusal) or abs(amount - value["amount"]) > 1e-9:
            return None
        money = read_money(surface, rules.hints.currencies, None)
        if isinstance(money, Refusal):
            return LOOSE if money.reason.startswith("no currency") else None
        return EXACT if money["currency"] == value["currency"] else None

    def _once(self, key: tuple[Any, ...], read: Any) -> Any:
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]

    def _written(self, value: str, kind: Kind, upper: bool) -> Iterator[tuple[int, int, int]]:
        """Places where the value stands as it is written, but for case, blanks, accents and scanning errors."""
        wanted = " ".join(fold(value).text.split())
        if not wanted:
            return
        found = list(self._matches(self._folded, wanted, EXACT))
        found += self._joined(wanted) if upper else []
        if not found and kind == "text" and len(wanted) >= _SHORTEST_ALIKE:
            found = list(self._matches(self._scanned, scanned(fold(wanted)).text, SCANNED))
            found = found or list(self._alike(wanted))
        yield from dict.fromkeys(found)

    def _matches(self, folded: Folded, wanted: str, rank: int) -> Iterator[tuple[int, int, int]]:
        pattern = re.compile(r"\s+".join(re.escape(word) for word in wanted.split()))
        for match in pattern.finditer(folded.text):
            start, end = folded.back(*match.span(), self._text)
            cut = self._inside(start) or self._inside(end)
            if not cut or (len(wanted) > 3 and rank == EXACT and not (self._inside(start) and self._inside(end))):
                yield (LOOSE if cut else rank), start, end

    def _joined(self, wanted: str) -> Iterator[tuple[int, int, int]]:
        """Ids, whatever joins their parts."""
        bare = "".join(char for char in wanted if char.isalnum())
        at = self._squeezed.text.find(bare) if bare else -1
        while at >= 0:
            start, end = self._squeezed.back(at, at + len(bare), self._text)
            whole = not (self._inside(start) or self._inside(end))
            if whole and _JOINED.fullmatch(self._text, start, end):
                yield EXACT, start, end
            at = self._squeezed.text.find(bare, at + 1)

    def _alike(self, wanted: str) -> Iterator[tuple[int, int, int]]:
        from rapidfuzz import fuzz

        if len(wanted) > _LONGEST_ALIKE:
            return
        text, needle = self._scanned.text, scanned(fold(wanted)).text
        best = fuzz.partial_ratio_alignment(needle, text, score_cutoff=_ALIKE - 10)
        if best is None or best.dest_start >= best.dest_end:
            return
        start, end = self._scanned.back(best.dest_start, best.dest_end, self._text)
        while self._inside(start):
            start -= 1
        while self._inside(end):
            end += 1
        while start < end and not self._text[start].isalnum():
            start += 1
        while start < end and not self._text[end - 1].isalnum():
            end -= 1
        if start < end and fuzz.ratio(needle, scanned(fold(self._text[start:end])).text) >= _ALIKE:
            yield ALIKE, start, end

    def _inside(self, at: int) -> bool:
        """Whether an offset lies within a word."""
        text = self._text
        return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
