"""What every cheaper extractor shares: what it learns from, what it finds, and how that becomes a valid object."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tailtune.core.records import Row
from tailtune.predictors.base import FitContext, LocalRung, load_arrays, save_arrays
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import LATE_IMPORTS, Candidate, Chosen, assemble

_SCHEMA = "schema.json"


@dataclass(frozen=True, kw_only=True)
class ExtractContext(FitContext):
    """One per ladder of an extraction use case.

    Attributes:
        schema: What an object holds; the label of each row is an `Annotation` as JSON.
    """

    schema: ObjectSchema


@dataclass(frozen=True, slots=True)
class Found:
    """One per text: what a rung found, before values are normalised.

    Attributes:
        spans: Candidates; a field may have several.
        chosen: Classified field → its value.
        absent: Field that stands in the text → probability that it has no value, for when nothing was found.
    """

    spans: tuple[Candidate, ...] = ()
    chosen: Mapping[str, Chosen] = field(default_factory=dict)
    absent: Mapping[str, float] = field(default_factory=dict)


class Extractor(LocalRung[ExtractContext]):
    """An extractor that the ladder measures.

    Attributes:
        schema: What an object holds.
    """

    schema: ObjectSchema
    late_imports = LATE_IMPORTS

    @abstractmethod
    def found(self, texts: Sequence[str]) -> list[Found]:
        """What each text says, in order."""

    def answer(self, texts: Sequence[str]) -> list[Extraction]:
        """One object per text, valid against the schema; local work costs 0 dollars."""
        if not texts:
            return []
        return [
            assemble(self.schema, text, found.spans, found.chosen, found.absent)
            for text, found in zip(texts, self.found(texts), strict=True)
        ]


def gold(rows: Sequence[Row]) -> list[Annotation]:
    """What rows are labelled with."""
    return [Annotation.decode(row.label) for row in rows]


def save_rung(folder: Path, schema: ObjectSchema, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write schema, arrays and JSON values into a folder."""
    save_arrays(folder, arrays, meta)
    (folder / _SCHEMA).write_text(json.dumps(schema.document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_rung(folder: Path) -> tuple[ObjectSchema, dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `save_rung` wrote.

    Raises:
        SpecError: The schema is none; every fault with its line.
    """
    document = json.loads((folder / _SCHEMA).read_text(encoding="utf-8"))
    arrays, meta = load_arrays(folder)
    return schema_from(document, f"{folder}/{_SCHEMA}", "tailtune run <use-case>"), arrays, meta
