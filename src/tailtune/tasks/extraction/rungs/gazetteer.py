"""Which stretches of a text may be values, learned from labelled texts: by shape, seen before, between cue words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.schema import Kind, ObjectSchema

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?:[0-3]?\d)(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_COUNT = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_NUMBER = r"\d{1,3}(?:[.,' ]\d{3}){1,3}(?:[.,]\d{1,2})?|\d{1,12}(?:[.,]\d{1,6})?"
_CURRENCY = r"(?:[$€£]|\b(?:usd|eur|gbp|dollars?|euros?|pounds?|bucks)\b)"
_AMOUNT = rf"(?:{_NUMBER})(?:\s?(?:k|thousand|m|million)\b)?"

_PATTERNS: Mapping[Kind, tuple[str, ...]] = {
    "date": (
        r"\b\d{4}-\d\d?-\d\d?\b",
        r"\b\d\d?[/.]\d\d?[/.](?:\d{4}|\d\d)\b",
        rf"\b{_DAY}(?: of)? {_MONTH}(?:,? \d{{4}})?\b",
        rf"\b{_MONTH} {_DAY}(?:,? \d{{4}})?\b",
        r"\b(?:the day before yesterday|the day after tomorrow|yesterday|today|tomorrow|tonight)\b",
        rf"\b(?:last|this|next|on)? ?{_WEEKDAY}\b",
        r"\b(?:last|this|next) (?:night|morning|week|month|year)\b",
        rf"\b{_COUNT} (?:day|week|month)s? (?:ago|later|before|from now)\b",
    ),
    "time": (
        r"\b\d{1,2}[:.h]\d\d(?: ?[ap]\.?m\b\.?)?",
        r"\b\d{1,2} ?[ap]\.?m\b\.?",
        r"\b(?:noon|midday|midnight)\b",
        rf"\b{_COUNT} o['’]clock\b",
    ),
    "money": (
        rf"{_CURRENCY}\s?{_AMOUNT}",
        rf"\b{_AMOUNT}\s?{_CURRENCY}",
        rf"\b(?:[a-z]+ )?(?:hundred|thousand) {_CURRENCY}",
    ),
    "phone": (r"(?<!\w)\+?\(?\d[\d ()./-]{6,18}\d\b",),
    "email": (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}",),
    "number": (rf"(?<![\w.,])(?:{_NUMBER})(?![\w])", rf"\b{_COUNT}\b"),
    "integer": (rf"(?<![\w.,])(?:{_NUMBER})(?![\w])", rf"\b{_COUNT}\b"),
}
_COMPILED = {kind: tuple(re.compile(way, re.IGNORECASE) for way in ways) for kind, ways in _PATTERNS.items()}
FINDABLE: frozenset[Kind] = frozenset(_PATTERNS)
"""Kinds of field that have a look of their own."""


def look_alikes(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Stretches (start, end) of a text that look like a kind, each way of writing apart; they may overlap."""
    for pattern in _COMPILED.get(kind, ()):
        for match in pattern.finditer(text):
            yield match.span()


_MOST_WORDS = 10  # of a candidate
_SEEN = 2  # times a surface, shape or cue must have been seen
_SHAPES = 40  # per field
_CUE_SHARE = 0.25  # of a cue's occurrences, with a span of some field at its side
_EDGE = "\n"  # beyond the text

Key = tuple[str, ...]


@dataclass(frozen=True)
class Gazetteer:
    """One per use case: everything that makes a stretch of text a candidate.

    Attributes:
        kinds: Kinds of field whose values have a look of their own.
        surfaces: Words of a value → fields of text that had it twice or more.
        shapes: Shapes of a value's words → fields that had it twice or more; all-lower-case ones left out.
        opens: Pairs of words that often stand before a value.
        closes: Words that often stand behind a value.
        longest: Words of the longest candidate between an opening and a closing word; 0 looks for none.
    """

    kinds: tuple[Kind, ...]
    surfaces: Mapping[Key, tuple[str, ...]]
    shapes: Mapping[Key, tuple[str, ...]]
    opens: frozenset[Key]
    closes: frozenset[str]
    longest: int

    @classmethod
    def learn(cls, schema: ObjectSchema, rows: Iterable[tuple[Words, Sequence[Span]]]) -> Gazetteer:
        """Count what stands in and around the spans of labelled texts."""
        texts = {spec.name for spec in schema.spanned if spec.kind not in FINDABLE}
        names = {spec.name for spec in schema.spanned}
        surfaces: Counter[tuple[Key, str]] = Counter()
        shapes: Counter[tuple[Key, str]] = Counter()
        before, behind, lengths = Counter[Key](), Counter[str](), Counter[int]()
        around, every = Counter[Key](), Counter[str]()
        for words, spans in rows:
            padded = (_EDGE, _EDGE, *words.forms, _EDGE)
            around.update(pairwise(padded[:-1]))
            every.update(padded[2:])
            for span in spans:
                first, after = words.under(span.start, span.end)
                if span.label not in names or not first < after <= first + _MOST_WORDS:
                    continue
                shapes[words.shapes[first:after], span.label] += 1
                if span.label in texts:
                    surfaces[words.surfaces[first:after], span.label] += 1
                    before[padded[first : first + 2]] += 1
                    behind[padded[after + 2]] += 1
                    lengths[after - first] += 1
        return cls(
            tuple(sorted({spec.kind for spec in schema.spanned} & FINDABLE)),
            _fields_of(surfaces, 1 << 62),
            _fields_of(Counter({key: n for key, n in shapes.items() if _distinctive(key[0])}), _SHAPES),
            frozenset(key for key, n in before.items() if n >= _SEEN and n >= _CUE_SHARE * around[key]),
            frozenset(key for key, n in behind.items() if n >= _SEEN and n >= _CUE_SHARE * every[key]),
            _usual(lengths),
        )

    def candidates(self, words: Words) -> dict[tuple[int, int], list[str]]:
        """Stretches (first word, word after the last) that may be values → the reasons for each."""
        found: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for kind in self.kinds:
            for start, end in look_alikes(kind, words.text):
                first, after = words.under(start, end)
                if first < after and f"like:{kind}" not in found[first, after]:
                    found[first, after].append(f"like:{kind}")
        for at, reason in (*self._known(words), *self._between(words)):
            found[at].append(reason)
        return found

    @cached_property
    def _lengths(self) -> tuple[list[int], list[int]]:
        """How many words surfaces and shapes may have."""
        surfaces, shapes = (sorted({len(key) for key in table}) for table in (self.surfaces, self.shapes))
        return surfaces, shapes

    def _known(self, words: Words) -> Iterator[tuple[tuple[int, int], str]]:
        """Surfaces and shapes that were seen in labelled texts."""
        for table, parts, sort, lengths in (
            (self.surfaces, words.surfaces, "seen", self._lengths[0]),
            (self.shapes, words.shapes, "shape", self._lengths[1]),
        ):
            for length in lengths:
                for first in range(len(words) - length + 1):
                    for name in table.get(parts[first : first + length], ()):
                        yield (first, first + length), f"{sort}:{name}"

    def _between(self, words: Words) -> Iterator[tuple[tuple[int, int], str]]:
        """Stretches from a pair of words that opens to a word that closes."""
        padded = (_EDGE, _EDGE, *words.forms, _EDGE)
        closing = [word in self.closes for word in padded[2:]]
        for first in range(len(words)) if self.longest else ():
            if padded[first : first + 2] in self.opens:
                for after in range(first + 1, min(len(words), first + self.longest) + 1):
                    if closing[after]:
                        yield (first, after), "between"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kinds": self.kinds,
            "surfaces": [[key, names] for key, names in self.surfaces.items()],
            "shapes": [[key, names] for key, names in self.shapes.items()],
            "opens": sorted(self.opens),
            "closes": sorted(self.closes),
            "longest": self.longest,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Gazetteer:
        """Read what `to_json` wrote."""
        surfaces, shapes = ({tuple(key): tuple(names) for key, names in saved[part]} for part in ("surfaces", "shapes"))
        opens = frozenset(tuple(key) for key in saved["opens"])
        return cls(tuple(saved["kinds"]), surfaces, shapes, opens, frozenset(saved["closes"]), saved["longest"])


def _fields_of(counts: Counter[tuple[Key, str]], most: int) -> dict[Key, tuple[str, ...]]:
    """Keys seen often enough → their fields; the most frequent ones of each field."""
    taken: Counter[str] = Counter()
    fields: defaultdict[Key, list[str]] = defaultdict(list)
    for (key, name), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if n >= _SEEN and taken[name] < most:
            taken[name] += 1
            fields[key].append(name)
    return {key: tuple(names) for key, names in fields.items()}


def _distinctive(key: Key) -> bool:
    """Whether a shape is more than lower-case words and marks."""
    return any("A" in part or "0" in part for part in key)


def _usual(lengths: Counter[int]) -> int:
    """The length that 98 % of the stretches do not exceed; 0 without any."""
    total, reached = lengths.total(), 0
    for length in sorted(lengths):
        reached += lengths[length]
        if reached >= 0.98 * total:
            return length
    return 0
