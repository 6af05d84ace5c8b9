"""A schema proposed from labelled rows, for a use case that came without one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.values.dates import read_date, read_time
from tailtune.tasks.extraction.values.numbers import CURRENCY, in_words, read_money, read_number
from tailtune.tasks.extraction.values.texts import Refusal, read_email, read_phone, yes_or_no

INTENT = "intent"
_SEVERAL = 0.01  # of the rows with a field: above, it holds many
_AGREE = 0.98  # of the values must read as a kind
_CHOICES, _CHOICES_SHARE = 50, 0.05  # at most so many, and at most this share of the field's rows
_IN_TEXT = 0.5  # of the values stand in their text: then the field is no choice
_KEPT = 2_000  # values that are looked at for each field
_CODES = tuple(re.findall(r"\w+", "USD EUR GBP CHF JPY CNY INR CAD AUD SEK NOK DKK PLN BRL MXN ZAR"))
_WORD = re.compile(r"\w+")
_QUANTITY = re.compile(r"[+−-]?\d[\d.,' ]*(?:\s?(?:%|\w{1,12}))?")
_BESIDE_DIGITS = re.compile(r"[+()./ -]")
_NO_PHONE = re.compile(r"(?i)(?!ext|x)[a-z]{2}|\b(?!x)[a-z]\d")  # words and codes; an extension may be one
Row = tuple[str, Sequence[Span], Mapping[str, Any] | None, str | None]
"""Text, spans, values and intent of a row; None for a column that the files do not have."""


@dataclass
class _Seen:
    """One per field: its values so far."""

    rows: int = 0
    several: int = 0
    spans: bool = False
    in_text: int = 0
    counted: int = 0
    values: list[Any] = field(default_factory=list)

    def add(self, values: Sequence[Any], text: str, spans: bool) -> None:
        """Note one row's values."""
        self.rows += 1
        self.several += len(values) > 1
        self.spans |= spans
        if len(self.values) < _KEPT:
            self.values += values
            self.counted += len(values)
            words = _plain(text)
            self.in_text += sum(isinstance(value, str) and _plain(value) in words for value in values)


def propose_schema(rows: Iterable[Row]) -> dict[str, Any]:
    """JSON Schema 2020-12 that the rows satisfy, all but a few: every field may be null.

    A label of spans, or a name of values, becomes a field: a list where more than 1 % of its rows have several values;
    of the kind that 98 % of its values read as; an enum where few strings come back and do not stand in the text.

    Args:
        rows: Read once. Where a row has values, they count, and spans only for fields that no row has a value for.

    Returns:
        The document, fields in the order in which they were first seen, the intent before all others.
    """
    by_value: dict[str, _Seen] = {}
    by_span: dict[str, _Seen] = {}
    intents: Counter[str] = Counter()
    total = 0
    for text, spans, values, intent in rows:
        total += 1
        intents.update([intent] if intent else [])
        for name, value in (values or {}).items():
            items = [item for item in (value if isinstance(value, list) else [value]) if item is not None]
            if items:
                by_value.setdefault(name, _Seen()).add(items, text, False)
        surfaces: dict[str, list[str]] = {}
        for span in sorted(spans):
            surfaces.setdefault(span.label, []).append(span.of(text))
        for name, covered in surfaces.items():
            by_span.setdefault(name, _Seen()).add(covered, text, True)
    properties: dict[str, Any] = {}
    if intents:
        properties[INTENT] = _enum(intents, nullable=sum(intents.values()) < total) | {"description": _words(INTENT)}
    for name, seen in ({**by_span, **by_value} if by_value else by_span).items():
        properties.setdefault(name, {"description": _words(name), **_property(seen)})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _property(seen: _Seen) -> dict[str, Any]:
    many = seen.several > _SEVERAL * seen.rows or any(isinstance(value, list) for value in seen.values)
    core = _core(seen.values)
    if not many:
        choices = _choices(seen, core["type"] == "string" and "format" not in core)
        if choices is not None:
            return choices
    if many:
        return {
            "type": "array",
            "items": {"type": "string"} if core["type"] == "boolean" else core,
            "uniqueItems": True,
        }
    if core["type"] == "object":
        return {"anyOf": [core, {"type": "null"}]}
    return core | {"type": [core["type"], "null"]}


def _choices(seen: _Seen, plain: bool) -> dict[str, Any] | None:
    """Yes / no or an enum; None for what stands in the text, or reads as some kind (is not `plain`)."""
    if seen.spans or not all(isinstance(value, str) for value in seen.values):
        return None
    if all(yes_or_no(value) is not None for value in seen.values):
        return {"type": ["boolean", "null"]}
    if seen.in_text >= _IN_TEXT * seen.counted:
        return None
    counts = Counter(seen.values)
    few = plain and len(counts) <= min(_CHOICES, max(_CHOICES_SHARE * seen.rows, 1))
    return _enum(counts, nullable=True) if few else None


def _enum(counts: Mapping[str, int], nullable: bool) -> dict[str, Any]:
    type_ = ["string", "null"] if nullable else "string"
    return {"type": type_, "enum": [*sorted(counts), *([None] if nullable else [])]}


def _core(values: Sequence[Any]) -> dict[str, Any]:
    """The schema of one value."""
    if all(isinstance(value, bool) for value in values):
        return {"type": "boolean"}
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return {"type": "integer"}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return {"type": "number"}
    if all(isinstance(value, dict) and value.keys() == {"amount", "currency"} for value in values):
        codes = {_code_of(value["currency"]) for value in values} - {""}
        if codes:
            return _money(sorted(codes), any(str(value["amount"]).lstrip()[:1] in ("-", "−") for value in values))
    texts = [" ".join(str(value).split()) for value in values]
    for schema, reads in _KINDS:
        if _most_are(reads, texts):
            return schema(texts)
    return {"type": "string"}


def _most_are(reads: Callable[[str], bool], texts: Sequence[str]) -> bool:
    room = (1 - _AGREE) * len(texts)
    for text in texts:
        room -= not reads(text)
        if room < -1e-9:
            return False
    return bool(texts)


def _code_of(currency: Any) -> str:
    """The code of a currency, however it is written; empty when it says none."""
    if isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency):
        return currency
    read = read_money(f"{currency or ''} 1", _CODES, None)
    return "" if isinstance(read, Refusal) else str(read["currency"])


def _money(codes: Sequence[str], below_zero: bool) -> dict[str, Any]:
    amount = {"type": "number"} if below_zero else {"type": "number", "minimum": 0}
    return {
        "type": "object",
        "properties": {"amount": amount, "currency": {"enum": list(codes)}},
        "required": ["amount", "currency"],
        "additionalProperties": False,
    }


def _money_of(texts: Sequence[str]) -> dict[str, Any]:
    read = [money for text in texts if not isinstance(money := read_money(text, _CODES, None), Refusal)]
    return _money(sorted({str(money["currency"]) for money in read}), any(float(money["amount"]) < 0 for money in read))


def _number_of(texts: Sequence[str]) -> dict[str, Any]:
    read = [read_number(text, whole=False) for text in texts]
    whole = all(numbers[0] == int(numbers[0]) for numbers in read if not isinstance(numbers, Refusal))
    return {"type": "integer" if whole else "number"}


def _is_money(text: str) -> bool:
    return bool(CURRENCY.search(text)) and not isinstance(read_money(text, _CODES, None), Refusal)


def _is_phone(text: str) -> bool:
    digits = sum(char.isdigit() for char in text)
    if _NO_PHONE.search(text):
        return False
    return digits >= 7 and bool(_BESIDE_DIGITS.search(text)) and not isinstance(read_phone(text, "US"), Refusal)


def _is_number(text: str) -> bool:
    """A quantity, a word behind it or none: codes have leading zeros, or many figures and no separators."""
    if re.fullmatch(r"0\d+|\d{5,}", text) or not (_QUANTITY.fullmatch(text) or in_words(text.lower()) is not None):
        return False
    return not isinstance(read_number(text, whole=False), Refusal)


def _is_date(text: str) -> bool:
    return not isinstance(read_date(text, thorough=False), Refusal)


_KINDS: tuple[tuple[Callable[[Sequence[str]], dict[str, Any]], Callable[[str], bool]], ...] = (
    (lambda _: {"type": "string", "format": "email"}, lambda text: not isinstance(read_email(text), Refusal)),
    (lambda _: {"type": "string", "format": "date"}, _is_date),
    (lambda _: {"type": "string", "format": "time"}, lambda text: not isinstance(read_time(text), Refusal)),
    (_money_of, _is_money),
    (lambda _: {"type": "string", "format": "phone"}, _is_phone),
    (_number_of, _is_number),
)


def _plain(text: str) -> str:
    """Words between single blanks, to be found as wholes."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _words(name: str) -> str:
    """A code name as words."""
    return re.sub(r"[_\-\s]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip().lower()
