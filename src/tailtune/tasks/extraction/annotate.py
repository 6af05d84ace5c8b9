"""From columns of a file to an annotation: spans move with their text, values are normalised and located in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from tailtune.core.json_text import parse_rows_json
from tailtune.core.records import Span
from tailtune.predictors.prepare import prepared_with
from tailtune.predictors.prepare.clean import clean
from tailtune.predictors.prepare.scrub import scrub
from tailtune.services.sources import RawRow
from tailtune.services.sources.faults import Faults, encodable, shown
from tailtune.tasks.base import PreparedRow
from tailtune.tasks.extraction.annotations import Annotation, canonical
from tailtune.tasks.extraction.config import ExtractionData
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import align, conform, from_utf16, normalise, span_faults, utf16_detail

if TYPE_CHECKING:
    from tailtune.config.model import Pii


UTF16 = "utf16_offsets"
ENTITIES, FIELDS, INTENT = "entities", "fields", "intent"
_SHOWN_CHARS = 60
_ENTITY = "expected a list of objects {start, end, label}: offsets are whole numbers, counted in characters"


@dataclass(frozen=True, slots=True)
class RawLabel:
    """One per row of a file: its label as the file has it, not yet compared with the schema.

    Attributes:
        spans: In the order of the file; offsets count in the raw text.
        values: Field → value, missing ones (null, NaN, blank, an empty list) left out; None without such a column.
        intent: None without such a column.
        unit: What offsets count in: characters, UTF-16 code units, or `unclear` where either may be meant.
    """

    spans: tuple[Span, ...] = ()
    values: dict[str, Any] | None = None
    intent: str | None = None
    unit: Literal["characters", "utf16", "unclear"] = "characters"

    def __str__(self) -> str:
        """As one line of JSON, which a row's id is made of."""
        spans = [[span.start, span.end, span.label] for span in self.spans]
        return canonical({ENTITIES: spans, FIELDS: self.values, INTENT: self.intent})

    @property
    def labelled(self) -> dict[str, Any]:
        """Field → value, the intent among them; without what only spans say."""
        return {**(self.values or {}), **({INTENT: self.intent} if self.intent else {})}

    @property
    def names(self) -> set[str]:
        """The fields that it names."""
        return {span.label for span in self.spans} | self.labelled.keys()


def columns_of(data: ExtractionData) -> tuple[str, ...]:
    """The declared columns that labels are made of, in the order in which `reader` wants their values."""
    return tuple(column for column in (data.entities, data.fields, data.intent) if column is not None)


def reader(data: ExtractionData) -> Callable[[Sequence[Any], int, Faults], RawLabel]:
    """Reads a row's raw label from the values of its columns; what has the wrong shape is a fault of the file."""

    def read(values: Sequence[Any], number: int, faults: Faults) -> RawLabel:
        given = iter(values)
        spans = () if data.entities is None else _spans(next(given), data.entities, number, faults)
        fields = None if data.fields is None else _fields(next(given), data.fields, number, faults)
        intent = None if data.intent is None else _intent(next(given), data.intent, number, faults)
        label = RawLabel(spans, fields, intent)
        text = str(label)
        if not text.isascii() and not encodable(text):
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
        if not (_whole(start) and _whole(end) and isinstance(label, str) and label.strip()):
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
        plain = {str(name): _plain(item) for name, item in value.items()}
    except ValueError as error:
        faults.add(number, f"`{column}` holds {error}")
        return {}
    if any(item is not None and not name.strip() for name, item in plain.items()):
        faults.add(number, f"`{column}` holds a value without a name; expected field → value")
    return {name: item for name, item in plain.items() if item is not None}


def _plain(value: Any) -> Any:
    """A value as JSON has it; None where it says nothing.

    Raises:
        ValueError: JSON has nothing for it.
    """
    if isinstance(value, list | tuple):
        return [item for item in map(_plain, value) if item is not None] or None
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
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
        return parse_rows_json(value)
    except (ValueError, RecursionError) as error:
        faults.add(number, f"`{column}` is no JSON that can be read: {error}")
        return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# Reason → what it means, in the order in which a row meets them.
REASONS: dict[str, str] = {
    "span_outside": "a span begins or ends outside its text",
    "span_empty": "a span covers nothing",
    "span_overlap": "two spans overlap or cross",
    "span_bytes": "offsets count bytes where characters are meant",
    "span_utf16": "offsets may count characters or UTF-16 code units, and nothing shows which",
    "span_scrubbed": "`curate.scrub_pii` would change what a span covers",
    "bad_value": "a value is not valid against its field of the schema",
}


def prepare_row(
    schema: ObjectSchema, raw: RawRow[RawLabel], scrub_pii: Iterable[Pii], changes: tuple[str, ...]
) -> PreparedRow:
    """Text and annotation as curation writes them, or why the row cannot be used.

    Args:
        schema: What an object may be.
        raw: As it stands in the file; its label is a `RawLabel`.
        scrub_pii: Kinds of personal data to scrub.
        changes: What cleaning changed.
    """
    given = raw.label
    strange = sorted(given.names.difference(schema.names))
    if strange:  # told as faults of the files, all at once, once they are read to the end
        return PreparedRow(raw.text, raw.label, reason="bad_value", detail=f"no such field: {', '.join(strange)}")
    in_fields = (given.values or {}).get(INTENT)
    if given.intent is not None and in_fields not in (None, given.intent):
        detail = f"{INTENT}: the column says {shown(given.intent)}, the fields say {shown(in_fields)}"
        return PreparedRow(raw.text, raw.label, reason="bad_value", detail=detail)
    if given.unit == "unclear":
        return PreparedRow(raw.text, raw.label, reason="span_utf16", detail=utf16_detail(raw.text, given.spans))
    if given.unit == "utf16":
        given, changes = replace(given, spans=spans_of(raw)), (*changes, UTF16)
    faults = span_faults(raw.text, given.spans)
    if faults:
        return PreparedRow(raw.text, raw.label, reason=faults[0].reason, detail="; ".join(f.detail for f in faults[:3]))
    text, spans, kinds = prepared_with(raw.text, given.spans, scrub_pii)
    scrubbed = _scrubbed(raw.text, given.spans, kinds)
    if scrubbed:
        return PreparedRow(text, raw.label, reason="span_scrubbed", detail=scrubbed)
    faults = span_faults(text, spans)  # two spans inside one scrubbed stretch are now one place
    if faults:
        return PreparedRow(text, raw.label, reason=faults[0].reason, detail=f"after scrubbing: {faults[0].detail}")
    annotation, wrong = _annotation(schema, text, tuple(sorted(spans)), given)
    if wrong:
        return PreparedRow(text, raw.label, reason="bad_value", detail="; ".join(wrong[:3]))
    return PreparedRow(text, annotation, changes + tuple(kinds))


def raw_label(schema: ObjectSchema, answer: str) -> RawLabel:
    """The label that a JSON object says.

    Raises:
        ValueError: It is no JSON object, or holds what the schema does not allow; all of it at once.
    """
    try:
        found = parse_rows_json(answer)
        values = {name: _plain(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{shown(answer, _SHOWN_CHARS)}: expected a JSON object: field → value ({error})") from None
    values = {name: value for name, value in values.items() if value is not None}
    strange = [name for name in values if name not in schema.names]
    wrong = [f"no such field: {', '.join(strange)}"] if strange else _given_values(schema, values)[1]
    if wrong:
        raise ValueError("; ".join(wrong))
    return RawLabel(values=values)


def spans_of(raw: RawRow[RawLabel]) -> tuple[Span, ...]:
    """The spans of a row, counted in characters whatever the file counts in."""
    if raw.label.unit != "utf16":
        return raw.label.spans
    return from_utf16(raw.text, raw.label.spans) or ()


def unaligned(schema: ObjectSchema, label: Annotation) -> tuple[str, ...]:
    """Fields of an annotation whose value must stand in the text and has no span."""
    found = {span.label for span in label.spans}
    return tuple(name for name in label.values if schema[name].spanned and name not in found)


def _annotation(
    schema: ObjectSchema, text: str, spans: tuple[Span, ...], given: RawLabel
) -> tuple[Annotation, list[str]]:
    """The annotation, and what is wrong with its values."""
    labelled = given.labelled
    values, wrong = _given_values(schema, labelled)
    surfaces: dict[str, list[str]] = {}
    for span in spans:
        surfaces.setdefault(span.label, []).append(span.of(text))
    unsaid = {name: covered for name, covered in surfaces.items() if name not in labelled}
    read, unread = _read_values(schema, unsaid, values)
    values, wrong = {**values, **read}, [*wrong, *unread]
    # What is chosen is read from the whole text: a place of it would be one that no head can answer with.
    spans = tuple(span for span in spans if schema[span.label].spanned)
    homeless = {name: value for name, value in values.items() if schema[name].spanned and name not in surfaces}
    if homeless:
        spans = tuple(sorted((*spans, *align(schema, text, homeless, taken=spans).spans)))
    return Annotation(values, spans), wrong


def _scrubbed(text: str, spans: tuple[Span, ...], kinds: tuple[Pii, ...]) -> str:
    """Which span's value scrubbing would change; empty when none is."""
    for span in spans if kinds else ():
        found = scrub(clean(span.of(text))[0], kinds)[1]
        if found:
            return (
                f"span {span.start}–{span.end} ({span.label}) holds {', '.join(found)}; take it out of curate.scrub_pii"
            )
    return ""


def _given_values(schema: ObjectSchema, labelled: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values as the schema wants them: valid as they are, or read from what a person wrote; and what is wrong."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in labelled.items():
        made = conform(schema[name], value)
        if not made.ok:
            wrong.append(f"{name}: {made.reason}")
        elif made.value not in (None, []):
            values[name] = made.value
    return values, wrong


def _read_values(
    schema: ObjectSchema, surfaces: Mapping[str, list[str]], known: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Values read from what spans cover; fields that others count from come first."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name in sorted(surfaces, key=lambda name: _depth(schema, name)):
        field = schema[name]
        anchor = {**known, **values}.get(field.relative_to or "")
        since = date.fromisoformat(anchor) if isinstance(anchor, str) else None
        made = [normalise(field, surface, since) for surface in surfaces[name]]
        wrong += [f"{name}: {outcome.reason}" for outcome in made if not outcome.ok]
        read = [outcome.value for outcome in made if outcome.ok]
        if read:
            values[name] = [value for at, value in enumerate(read) if value not in read[:at]] if field.many else read[0]
    return values, wrong


def _depth(schema: ObjectSchema, name: str) -> int:
    """How many fields a date counts from, one after the other; a circle ends after all of them."""
    depth, at = 0, schema[name].relative_to
    while at is not None and depth < len(schema.fields):
        depth, at = depth + 1, schema[at].relative_to
    return depth
