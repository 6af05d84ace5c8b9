"""Where values may stand: learned from labelled texts as surfaces seen before, as shapes, and as words around them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.rungs.finders import FINDABLE, find
from tailtune.tasks.extraction.rungs.words import Words
from tailtune.tasks.extraction.schema import Kind, ObjectSchema

_MOST_WORDS = 10  # of a candidate
_SEEN = 2  # times a surface, shape or cue must have been seen
_SHAPES = 40  # per field
_CUE_SHARE = 0.25  # of a cue's occurrences, with a span of some field at its side
_EDGE = "\n"  # beyond the text

Key = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """One per use case: everything that makes a stretch of text a candidate.

    Attributes:
        kinds: Kinds of field that are looked for by how they look.
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
    def learn(cls, schema: ObjectSchema, rows: Sequence[tuple[Words, Sequence[Span]]]) -> Lexicon:
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
            _fields_of(Counter({key: n for key, n in shapes.items() if _telling(key[0])}), _SHAPES),
            frozenset(key for key, n in before.items() if n >= _SEEN and n >= _CUE_SHARE * around[key]),
            frozenset(key for key, n in behind.items() if n >= _SEEN and n >= _CUE_SHARE * every[key]),
            _usual(lengths),
        )

    def candidates(self, words: Words) -> dict[tuple[int, int], list[str]]:
        """Stretches (first word, word after the last) that may be values → what speaks for each."""
        found: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for kind in self.kinds:
            for start, end in find(kind, words.text):
                first, after = words.under(start, end)
                if first < after and f"like:{kind}" not in found[first, after]:
                    found[first, after].append(f"like:{kind}")
        for at, reason in (*self._known(words), *self._between(words)):
            found[at].append(reason)
        return found

    @cached_property
    def _lengths(self) -> tuple[list[int], list[int]]:
        """How many words surfaces and shapes may have."""
        one, two = (sorted({len(key) for key in table}) for table in (self.surfaces, self.shapes))
        return one, two

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
    def from_json(cls, held: Mapping[str, Any]) -> Lexicon:
        """Read what `to_json` wrote."""
        surfaces, shapes = ({tuple(key): tuple(names) for key, names in held[part]} for part in ("surfaces", "shapes"))
        opens = frozenset(tuple(key) for key in held["opens"])
        return cls(tuple(held["kinds"]), surfaces, shapes, opens, frozenset(held["closes"]), held["longest"])


def _fields_of(counts: Counter[tuple[Key, str]], most: int) -> dict[Key, tuple[str, ...]]:
    """Keys seen often enough → their fields; the most frequent ones of each field."""
    taken: Counter[str] = Counter()
    fields: defaultdict[Key, list[str]] = defaultdict(list)
    for (key, name), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if n >= _SEEN and taken[name] < most:
            taken[name] += 1
            fields[key].append(name)
    return {key: tuple(names) for key, names in fields.items()}


def _telling(key: Key) -> bool:
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
