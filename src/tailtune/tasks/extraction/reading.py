"""Raw labels of extraction rows: spans, field values and an intent as files hold them, checked for their shape only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from tailtune.core.records import Span
from tailtune.services.sources.faults import Faults, encodable, shown
from tailtune.tasks.extraction.annotations import canonical
from tailtune.tasks.extraction.config import ExtractionData

ENTITIES, FIELDS, INTENT = "entities", "fields", "intent"
_SHOWN_CHARS = 60
_ENTITY = "expected a list of objects {start, end, label}: offsets are whole numbers, counted in characters"


@dataclass(frozen=True, slots=True)
class RawLabel:
    """One per row of a file: its label as given. Offsets count in the raw text; nothing was held against it yet.

    Attributes:
        spans: In the order of the file.
        values: Field → value as given, missing ones (null, NaN, blank, an empty list) left out; None without such a
            column.
        intent: None without such a column.
    """

    spans: tuple[Span, ...] = ()
    values: dict[str, Any] | None = None
    intent: str | None = None

    def encode(self) -> str:
        """As one line of JSON, a row's raw label."""
        spans = [[span.start, span.end, span.label] for span in self.spans]
        return canonical({ENTITIES: spans, FIELDS: self.values, INTENT: self.intent})

    @classmethod
    def decode(cls, label: str) -> RawLabel:
        """Read what `encode` wrote."""
        held = json.loads(label)
        return cls(tuple(Span(*span) for span in held[ENTITIES]), held[FIELDS], held[INTENT])

    @property
    def names(self) -> set[str]:
        """The fields it speaks of."""
        named = {span.label for span in self.spans} | set(self.values or ())
        return named | ({INTENT} if self.intent else set())


def columns_of(data: ExtractionData) -> tuple[str, ...]:
    """The declared columns that labels are made of, in the order in which `reader` wants their values."""
    return tuple(column for column in (data.entities, data.fields, data.intent) if column is not None)


def reader(data: ExtractionData) -> Callable[[Sequence[Any], int, Faults], str]:
    """Reads a row's raw label from the values of its columns; what has the wrong shape is a fault of the file."""

    def read(values: Sequence[Any], number: int, faults: Faults) -> str:
        given = iter(values)
        spans = () if data.entities is None else _spans(next(given), data.entities, number, faults)
        fields = None if data.fields is None else _fields(next(given), data.fields, number, faults)
        intent = None if data.intent is None else _intent(next(given), data.intent, number, faults)
        label = RawLabel(spans, fields, intent).encode()
        if not label.isascii() and not encodable(label):
            faults.add(number, "the label holds half a surrogate pair; expected valid Unicode")
        return label

    return read


def _spans(value: Any, column: str, number: int, faults: Faults) -> tuple[Span, ...]:
    value = _parsed(value, column, number, faults)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        faults.add(number, f"`{column}` is {shown(value, _SHOWN_CHARS)}; {_ENTITY}")
        return ()
    spans = []
    for item in value:
        start, end, label = (item.get(key) for key in ("start", "end", "label"))
        if not (_whole(start) and _whole(end) and isinstance(label, str) and label):
            faults.add(number, f"`{column}` holds {shown(item, _SHOWN_CHARS)}; {_ENTITY}")
            return ()
        spans.append(Span(start, end, label))
    return tuple(spans)


def _fields(value: Any, column: str, number: int, faults: Faults) -> dict[str, Any]:
    value = _parsed(value, column, number, faults)
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.add(number, f"`{column}` is {shown(value, _SHOWN_CHARS)}; expected an object: field → value")
        return {}
    try:
        plain = {str(name): _plain(held) for name, held in value.items()}
    except ValueError as error:
        faults.add(number, f"`{column}` holds {error}")
        return {}
    return {name: held for name, held in plain.items() if held is not None}


def _plain(value: Any) -> Any:
    """A value as JSON has it; None where it says nothing.

    Raises:
        ValueError: JSON has nothing for it.
    """
    if isinstance(value, list | tuple):
        return [held for held in map(_plain, value) if held is not None] or None
    if isinstance(value, dict):
        return {str(name): _plain(held) for name, held in value.items()}
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, date):  # and datetime, which is one
        return value.isoformat()
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    if (isinstance(value, float) and math.isinf(value)) or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise ValueError("a number without bounds; expected a finite one of at most 18 digits")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"{shown(value, _SHOWN_CHARS)}; expected text, numbers, truth values, lists or null")


def _intent(value: Any, column: str, number: int, faults: Faults) -> str | None:
    if isinstance(value, str) and value.strip():
        return value.strip()
    faults.add(number, f"`{column}` is {shown(value, _SHOWN_CHARS)}; expected a word for the whole text")
    return None


def _parsed(value: Any, column: str, number: int, faults: Faults) -> Any:
    """A cell of a CSV file holds JSON as text."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        faults.add(number, f"`{column}` is no JSON: {error}")
        return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
