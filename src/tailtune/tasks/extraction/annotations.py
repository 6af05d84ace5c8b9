"""What an extraction row is labelled with and answered by: values of fields, and where they stand in the text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.records import Answer, Span

Values = Mapping[str, Any]
"""Field → JSON value. A field that is absent or null has no value."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One per labelled extraction row: what `Row.label` holds, as canonical JSON.

    Attributes:
        values: Field → expected value, fields without a value left out.
        spans: Sorted by start; they neither overlap nor cross.
    """

    values: Values
    spans: tuple[Span, ...] = ()

    def encode(self) -> str:
        """As one line of JSON; equal annotations give equal lines."""
        spans = [[span.start, span.end, span.label] for span in self.spans]
        return canonical({"values": {name: self.values[name] for name in sorted(self.values)}, "spans": spans})

    @classmethod
    def decode(cls, label: str) -> Annotation:
        """Read what `encode` wrote."""
        held = json.loads(label)
        return cls(held["values"], tuple(Span(start, end, name) for start, end, name in held["spans"]))


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
