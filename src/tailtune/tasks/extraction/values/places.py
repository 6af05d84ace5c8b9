"""Where a text names values: stretches that look like a kind of value, and the best place of each known value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import Any, NamedTuple

from tailtune.core.records import Span
from tailtune.tasks.extraction.schema import FieldSpec, Hints, Kind, ObjectSchema
from tailtune.tasks.extraction.values.dates import MONTH_OF, WEEKDAYS, read_date, read_time
from tailtune.tasks.extraction.values.numbers import (
    CURRENCY,
    NUMBER,
    NUMBER_WORDS,
    read_amount,
    read_money,
    read_number,
)
from tailtune.tasks.extraction.values.texts import (
    Folded,
    Refusal,
    fold,
    inside_word,
    read_email,
    read_phone,
    scanned,
    squeezed,
)

_MONTH = rf"(?:{'|'.join(sorted(MONTH_OF, key=len, reverse=True))})\b\.?"
_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)}|(?:mon|tues?|wed|thu(?:rs)?|fri|sat|sun)\b\.?)"
_YEAR = r"(?:\d{4}|['’]\d\d|\d\d(?![\d:.]))"
_NTH = r"\d{1,2}\s?(?:st|nd|rd|th)?"
_WORDY = rf"(?:{'|'.join(sorted(NUMBER_WORDS - {'point', 'a', 'an', 'no'}, key=len, reverse=True))})"
_COUNT = rf"(?:\d{{1,3}}|an?|(?:a )?couple(?: of)?|{_WORDY}(?:[ -]{_WORDY})?)"
_DATES = (
    r"\d{4}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{1,2}",
    r"\d{1,2}\s?([-/.])\s?\d{1,2}\s?\1\s?(?:\d{4}|\d\d)",
    rf"(?:{_WEEKDAY},?\s(?:the\s)?)?{_NTH}[\s.-]*(?:of\s)?{_MONTH}(?:[\s,.-]*{_YEAR})?",
    rf"(?:{_WEEKDAY},?\s)?{_MONTH}[\s.-]*(?:the\s)?{_NTH}\b(?:[\s,.-]+{_YEAR})?",
    r"\d{1,2}/\d{1,2}",
    rf"{_COUNT}[\s-](?:day|night|week|fortnight|month|year)s?\s(?:ago|earlier|before|prior|later|after|from now)",
    rf"in\s{_COUNT}\s(?:day|week|month)s?",
    r"(?:the\s)?day\s(?:before\syesterday|after\stomorrow)|yesterday|tomorrow|today|tonight|last\snight",
    rf"(?:(?:last|past|previous|next|coming)\s)?{_WEEKDAY}(?:\s(?:of\s)?(?:last|next)\sweek)?",
    r"this\s(?:morning|afternoon|evening)",
)
_CLOCK_WORDS = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_HALF = r"(?:\s{0,2}[ap]\.?\s?m\b\.?|\s(?:in the|this|that)\s(?:morning|afternoon|evening)|\sat night)"
_TIMES = (
    rf"(?:[01]?\d|2[0-4])\s?[:.h]\s?[0-5]\d(?::[0-5]\d)?(?:\s?(?:hrs?|hours|uhr)\b)?{_HALF}?(?!\d)",
    rf"(?:half|(?:a\s)?quarter|five|ten|twenty|\d{{1,2}})\s(?:minutes\s)?(?:past|to|after)\s(?:{_CLOCK_WORDS}|\d{{1,2}}){_HALF}?",
    rf"(?:\d{{1,2}}|{_CLOCK_WORDS})(?:\s(?:thirty|fifteen|forty-five))?(?:\so['’]?\s?clock{_HALF}?|{_HALF})",
    r"(?:[01]\d|2[0-3])[0-5]\d\s?(?:h|hrs?|hours)\b",
    r"noon|midday|midnight",
)
_IN_WORDS = rf"\b(?:an?\s)?{_WORDY}\b(?:[\s-](?:and\s)?(?:a\s)?{_WORDY}\b){{0,8}}(?:\sof\b)?"
_MONEY = (
    rf"(?:{CURRENCY.pattern})\s{{0,3}}{NUMBER.pattern}",
    rf"{NUMBER.pattern}(?:[.,]-{{1,2}})?\s{{0,3}}(?:{CURRENCY.pattern})",
    rf"{_IN_WORDS}\s(?:{CURRENCY.pattern})",
)
_QUANTITY = rf"(?<!\d[/:-]){NUMBER.pattern}(?![/:-]?\d)"
# Kind → passes, each some ways of writing; a later pass takes only what the earlier ones left.
_WAYS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "date": (tuple(rf"(?<!\w)(?<!\d[/.]){way}(?!\w)" for way in _DATES),),
    "time": (tuple(rf"(?<![\w$€£])(?<!\d[:.,]){way}" for way in _TIMES),),
    "money": (_MONEY, (NUMBER.pattern,)),
    "number": ((_QUANTITY,), (_IN_WORDS,)),
    "integer": ((_QUANTITY,), (_IN_WORDS,)),
    "phone": ((r"(?<!\w)\+?\(?\d(?:(?:[ \u00a0().-]{0,3}|/)\d){6,14}(?!\w)",),),
    "email": ((r"[^\s@<>()\[\],;:\"]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",),),
}
_END = re.compile(r"(?<![ap]\.m)(?<![ap]\. m)[\s.,-]+$", re.IGNORECASE)


@cache
def _shapes(kind: Kind) -> tuple[re.Pattern[str], ...]:
    """The patterns of a kind, one a pass, compiled at first use (10 ms); named groups are unnamed to allow repeats."""
    joined = ("|".join(f"(?:{way})" for way in ways) for ways in _WAYS.get(kind, ()))
    return tuple(re.compile(re.sub(r"\(\?P<\w+>", "(?:", way), re.IGNORECASE) for way in joined)


def stretches(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Places that look like a value of a kind, the surest shapes first; nothing for texts, which have no shape.

    Args:
        kind: Of the field.
        text: Any length; time grows linearly with it.

    Yields:
        Start and end of each; no two overlap.
    """
    taken = bytearray(len(text))
    for pattern in _shapes(kind):
        for match in pattern.finditer(text):
            start = match.start()
            end = start + len(_END.sub("", match.group()))
            if start < end and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                yield start, end


_ALIKE = 90.0  # per cent of characters
_SHORTEST_ALIKE = 5
_LONGEST_ALIKE = 200
_AROUND = 40  # characters before a place in which its field's name counts; half of it behind
_PART = re.compile(r"[.;|\n](?:\s|$)")  # where one statement ends
_PLAIN = re.compile(r"[\W_]+")
_JOINED = re.compile(r"[\w\s\-_./#:–—]+")
EXACT, LOOSE, SCANNED, ALIKE = range(4)


class Place(NamedTuple):
    """One per stretch that names a value; a smaller tuple is a better place.

    Attributes:
        rank: How sure it is: exact, loose (part of a word, an amount without currency), scanned, alike.
        uncued: Minus the number of words of the field's name around it, in the same statement.
        shorter: Minus its length.
    """

    rank: int
    uncued: int
    shorter: int
    start: int
    end: int


class Reader:
    """One per text (of any length): finds places of values, and keeps what it read for the next value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[Kind, list[tuple[int, int, str]]] = {}
        self._read: dict[tuple[Any, ...], Any] = {}

    def places(self, field: FieldSpec, value: Any, anchor: str | None = None) -> list[Place]:
        """Every place at which the text names a value, the best first.

        Args:
            field: Whose value.
            value: One value, valid.
            anchor: The day that relative dates count from, `2026-03-12`.
        """
        places = [self._place(field, *at) for at in self._typed(field, value, anchor)]
        if not places:
            written = value["amount"] if isinstance(value, dict) and "amount" in value else value
            places = [self._place(field, *at) for at in self._written(str(written), field)]
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

    def _typed(self, field: FieldSpec, value: Any, anchor: str | None) -> Iterator[tuple[int, int, int]]:
        """Stretches of the field's shape that read as the value."""
        for start, end, surface in self._stretches(field.kind):
            rank = self._says(field.kind, surface, field.rules.hints, value, anchor)
            if rank is not None:
                yield rank, start, end

    def _stretches(self, kind: Kind) -> list[tuple[int, int, str]]:
        if kind not in self._found:
            self._found[kind] = [
                (start, end, " ".join(self._text[start:end].split())) for start, end in stretches(kind, self._text)
            ]
        return self._found[kind]

    def _says(self, kind: Kind, surface: str, hints: Hints, value: Any, anchor: str | None) -> int | None:
        if kind == "money":
            return self._says_money(surface, hints, value)
        if kind in ("number", "integer"):
            read = self._once(("number", surface, kind), lambda: read_number(surface, kind == "integer"))
            numbers = [] if isinstance(read, Refusal) else read
            return EXACT if any(abs(number - value) < 1e-9 for number in numbers) else None
        if kind == "date":
            since, day_first = date.fromisoformat(anchor) if anchor else None, hints.day_first
            key = ("date", surface, anchor, day_first)
            day = self._once(key, lambda: read_date(surface, since, day_first, thorough=False))
            return EXACT if isinstance(day, date) and day.isoformat() == value else None
        if kind == "time":
            return EXACT if self._once(("time", surface), lambda: read_time(surface)) == str(value)[:5] else None
        if kind == "phone":
            if re.sub(r"\D", "", surface)[-6:] != str(value)[-6:]:
                return None
            return EXACT if read_phone(surface, hints.region) == value else None
        return EXACT if kind == "email" and read_email(surface) == value else None

    def _says_money(self, surface: str, hints: Hints, value: Any) -> int | None:
        amount = self._once(("amount", surface), lambda: read_amount(surface))
        if isinstance(amount, Refusal) or abs(amount - value["amount"]) > 1e-9:
            return None
        money = read_money(surface, hints.currencies, None)
        if isinstance(money, Refusal):
            return LOOSE if money.reason.startswith("no currency") else None
        return EXACT if money["currency"] == value["currency"] else None

    def _once(self, key: tuple[Any, ...], read: Any) -> Any:
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]

    def _written(self, value: str, field: FieldSpec) -> Iterator[tuple[int, int, int]]:
        """Places where the value is written as it is, apart from case, blanks, accents and scanning errors."""
        sought = " ".join(fold(value).text.split())
        if not sought:
            return
        found = list(self._matches(self._folded, sought, EXACT))
        found += self._joined(sought) if field.rules.hints.upper else []
        if not found and field.kind == "text" and len(sought) >= _SHORTEST_ALIKE:
            found = list(self._matches(self._scanned, scanned(fold(sought)).text, SCANNED))
            found = found or list(self._alike(sought))
        yield from dict.fromkeys(found)

    def _matches(self, folded: Folded, sought: str, rank: int) -> Iterator[tuple[int, int, int]]:
        pattern = re.compile(r"\s+".join(re.escape(word) for word in sought.split()))
        for match in pattern.finditer(folded.text):
            start, end = folded.back(*match.span(), self._text)
            cut = self._inside(start) or self._inside(end)
            if not cut or (len(sought) > 3 and rank == EXACT and not (self._inside(start) and self._inside(end))):
                yield (LOOSE if cut else rank), start, end

    def _joined(self, sought: str) -> Iterator[tuple[int, int, int]]:
        """Ids, whatever joins their parts."""
        bare = "".join(char for char in sought if char.isalnum())
        at = self._squeezed.text.find(bare) if bare else -1
        while at >= 0:
            start, end = self._squeezed.back(at, at + len(bare), self._text)
            whole = not (self._inside(start) or self._inside(end))
            if whole and _JOINED.fullmatch(self._text, start, end):
                yield EXACT, start, end
            at = self._squeezed.text.find(bare, at + 1)

    def _alike(self, sought: str) -> Iterator[tuple[int, int, int]]:
        from rapidfuzz import fuzz

        if len(sought) > _LONGEST_ALIKE:
            return
        text, needle = self._scanned.text, scanned(fold(sought)).text
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
        return inside_word(self._text, at)


@dataclass(frozen=True, slots=True)
class Aligned:
    """One per text and object.

    Attributes:
        spans: One for each value that was found, sorted; they neither overlap nor cross.
        missing: Fields with a value that the text does not name, in the order of the schema.
        shared: Fields with a value that the text names only where another field has its span already.
    """

    spans: tuple[Span, ...]
    missing: tuple[str, ...]
    shared: tuple[str, ...] = ()


def align(schema: ObjectSchema, text: str, values: Mapping[str, Any], taken: Iterable[Span] = ()) -> Aligned:
    """Find the place of each value of a field that stands in texts.

    Exact places come before ones with scanning errors (0.9 of the characters alike). Of several, the one wins that has
    the field's name around it, then the longest, then the first; values with the fewest places choose first.

    Args:
        schema: Whose fields they are; other names, and fields that are read from the whole text, are passed over.
        text: Any length.
        values: Field → valid value, a list where the field holds many.
        taken: Spans that stand already and are kept free of overlaps; they are not returned.
    """
    reader = Reader(text)
    searches = []
    for order, field in enumerate(schema.fields):
        if field.spanned and values.get(field.name) is not None:
            anchor = values.get(field.relative_to) if field.relative_to else None
            found = [reader.places(field, item, anchor) for item in _items(field, values[field.name])]
            searches += [(len(places), order, i, field.name, places) for i, places in enumerate(found)]
    claimed = [(span.start, span.end) for span in taken]
    spans: list[Span] = []
    missing: set[str] = set()
    shared: set[str] = set()
    for _, _, _, name, places in sorted(searches, key=lambda search: search[:3]):
        place = next((place for place in places if _free(place, claimed)), None)
        if place is not None:
            claimed.append((place.start, place.end))
            spans.append(Span(place.start, place.end, name))
        else:
            (shared if places else missing).add(name)
    in_order = [name for name in schema.names if name in missing]
    return Aligned(
        tuple(sorted(spans)), tuple(in_order), tuple(name for name in schema.names if name in shared - missing)
    )


def _items(field: FieldSpec, value: Any) -> list[Any]:
    return list(value) if field.many and isinstance(value, list) else [value]


def _free(place: Place, claimed: Iterable[tuple[int, int]]) -> bool:
    return all(place.end <= start or end <= place.start for start, end in claimed)
