"""What the rungs of extraction share (context, words of a text, findings), and the simplest rung, `Blank`."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tailtune.core.json_text import read_object
from tailtune.core.records import Row
from tailtune.predictors.base import Embed, FitContext, Rung, load_arrays, save_arrays
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import LATE_IMPORTS, Candidate, Chosen, assemble

_SCHEMA = "schema.json"


@dataclass(frozen=True, kw_only=True)
class ExtractContext(FitContext):
    """One per ladder of an extraction use case.

    Attributes:
        schema: What an object holds.
    """

    rows: Sequence[Row[Annotation]]
    schema: ObjectSchema


@dataclass(frozen=True, slots=True)
class Findings:
    """One per text: what a rung found, before values are normalised.

    Attributes:
        spans: Candidates; a field may have several.
        chosen: Classified field → its value.
        absent: Field that stands in the text → probability that it has no value, for when nothing was found.
    """

    spans: tuple[Candidate, ...] = ()
    chosen: Mapping[str, Chosen] = field(default_factory=dict)
    absent: Mapping[str, float] = field(default_factory=dict)


class Extractor(Rung[ExtractContext]):
    """An extractor that the ladder measures.

    Attributes:
        schema: What an object holds.
    """

    schema: ObjectSchema
    late_imports = LATE_IMPORTS

    @abstractmethod
    def find(self, texts: Sequence[str]) -> list[Findings]:
        """Candidates and choices for each text, in order."""

    def answer(self, texts: Sequence[str]) -> list[Extraction]:
        """One object per text, valid against the schema; local work costs 0 dollars."""
        if not texts:
            return []
        return [
            assemble(self.schema, text, findings.spans, findings.chosen, findings.absent)
            for text, findings in zip(texts, self.find(texts), strict=True)
        ]


def save_rung(folder: Path, schema: ObjectSchema, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write schema, arrays and JSON values into a folder."""
    save_arrays(folder, arrays, meta)
    (folder / _SCHEMA).write_text(json.dumps(schema.document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_rung(folder: Path) -> tuple[ObjectSchema, dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `save_rung` wrote.

    Raises:
        SpecError: The schema is not valid; every fault with its line.
    """
    document = read_object(folder / _SCHEMA)
    arrays, meta = load_arrays(folder)
    return schema_from(document, f"{folder}/{_SCHEMA}", "tailtune run <use-case>"), arrays, meta


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Words:
    """One per text: its words (runs of letters and digits, and single marks) as rungs without an encoder see them.

    Attributes:
        text: The text.
        starts: Offset of each word's first character.
        ends: Offset after each word's last character.
        forms: Each word case-folded, its digits as 0.
        surfaces: Each word case-folded.
        shapes: How each word is built.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    forms: tuple[str, ...]
    surfaces: tuple[str, ...]
    shapes: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Cut a text into words."""
        found = list(_WORD.finditer(text))
        written = [match.group() for match in found]
        surfaces = tuple(word.casefold() for word in written)
        return cls(
            text,
            tuple(match.start() for match in found),
            tuple(match.end() for match in found),
            tuple(_DIGIT.sub("0", word) for word in surfaces),
            surfaces,
            tuple(shape(word) for word in written),
        )

    def under(self, start: int, end: int) -> tuple[int, int]:
        """Numbers of the first word under a stretch of the text, and of the word after its last one."""
        return bisect_right(self.ends, start), bisect_left(self.starts, end)

    def __len__(self) -> int:
        return len(self.starts)


@lru_cache(maxsize=65_536)
def shape(word: str) -> str:
    """How a word is built: digits as 0, one each; a run of capitals as A, of other letters as a; marks as they are.

    `Main` → `Aa`, `AB1234` → `A0000`, `2.5k` is three words.
    """
    runs: list[str] = []
    for char in word:
        kind = "0" if char.isdecimal() else "A" if char.isupper() else "a" if char.isalpha() else char
        if kind == "0" or runs[-1:] != [kind]:
            runs.append(kind)
    return "".join(runs)


class Blank(Extractor):
    """Every field that stands in the text is null; every other has its most frequent value, null included."""

    def __init__(
        self, schema: ObjectSchema, chosen: Mapping[str, Chosen], absent: Mapping[str, float], rows: int
    ) -> None:
        self.schema, self.fit_rows = schema, rows
        self._findings = Findings((), dict(chosen), dict(absent))

    @classmethod
    def fit(cls, context: ExtractContext) -> Blank:
        """Count values."""
        schema, annotations = context.schema, [row.label for row in context.rows]
        chosen: dict[str, Chosen] = {}
        for spec in schema.classified:
            counts = Counter(annotation.values.get(spec.name) for annotation in annotations)
            likely = [value for value in counts if value is not None or spec.nullable]
            if likely:
                value = min(likely, key=lambda value: (-counts[value], str(value)))
                chosen[spec.name] = Chosen(value, counts[value] / len(annotations))
        absent = {
            spec.name: sum(labelled.values.get(spec.name) in (None, []) for labelled in annotations) / len(annotations)
            for spec in schema.spanned
        }
        return cls(schema, chosen, absent, len(annotations))

    def find(self, texts: Sequence[str]) -> list[Findings]:
        """The same findings for every text."""
        return [self._findings] * len(texts)

    def save(self, folder: Path) -> None:
        """Write values and shares."""
        chosen = {name: [choice.value, choice.confidence] for name, choice in self._findings.chosen.items()}
        meta: dict[str, Any] = {"chosen": chosen, "absent": self._findings.absent, "rows": self.fit_rows}
        save_rung(folder, self.schema, {}, meta)

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Blank:
        """Read values and shares; the encoder is not needed."""
        schema, _, meta = load_rung(folder)
        chosen = {name: Chosen(*choice) for name, choice in meta["chosen"].items()}
        return cls(schema, chosen, meta["absent"], meta["rows"])
