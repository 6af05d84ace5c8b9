"""What an extraction row is labelled with and answered by: values of fields, and where they stand in the text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tailtune.core.records import Answer, Span

Values = Mapping[str, Any]
"""Field → JSON value. A field that is absent or null has no value."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """One per labelled extraction row: its label. Equal exactly when its canonical JSON is, so that 1 is not True.

    Attributes:
        values: Field → expected value, sorted by field; fields without a value left out.
        spans: Sorted by start; they neither overlap nor cross.
    """

    values: Values
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {name: self.values[name] for name in sorted(self.values)})

    @cached_property
    def _text(self) -> str:
        spans = [[span.start, span.end, span.label] for span in self.spans]
        return canonical({"values": self.values, "spans": spans})

    def __str__(self) -> str:
        """As one line of canonical JSON."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Annotation) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def parse(cls, text: str) -> Annotation:
        """Read what `str` of an annotation gave."""
        parsed = json.loads(text)
        annotation = cls(parsed["values"], tuple(Span(start, end, name) for start, end, name in parsed["spans"]))
        annotation.__dict__["_text"] = text  # canonical already: digests of rows need not write it again
        return annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction(Answer):
    """One per row and extractor. `value` holds `values` as canonical JSON; `confidence` is the least of its fields.

    Attributes:
        values: Every field of the schema in its order, None where nothing valid was found.
        spans: Where the values of span fields stand in the text that was answered.
        confidences: Field → probability that its answer (null included) is right, 0 to 1.
        reasons: Field → why it is null, for fields where something was found that could not be used.
    """

    values: Values
    spans: tuple[Span, ...] = ()
    confidences: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> dict[str, str | float | None]:
        """The answer as a served model gives it: the object, its least confidence, and both per field, as JSON."""
        sure = {name: round(value, 4) for name, value in self.confidences.items()}
        return {
            "json": self.value,
            "confidence": self.confidence,
            "confidences": canonical(sure),
            "reasons": canonical(dict(self.reasons)),
        }

    @classmethod
    def of(
        cls,
        values: Values,
        spans: tuple[Span, ...] = (),
        confidences: Mapping[str, float] | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> Extraction:
        """An answer from its parts; local work costs 0 dollars."""
        sure = confidences or {}
        return cls(
            canonical(dict(values)),
            min(sure.values(), default=math.nan),
            values=values,
            spans=spans,
            confidences=sure,
            reasons=reasons or {},
        )


def canonical(value: Any) -> str:
    """JSON on one line, no blanks, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
