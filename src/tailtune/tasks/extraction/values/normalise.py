"""From what a text or an answer says to the value that a field wants, and when two values mean the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tailtune.tasks.extraction.schema import FieldSpec, Hints, Kind, ObjectSchema
from tailtune.tasks.extraction.values.dates import read_date, read_time
from tailtune.tasks.extraction.values.numbers import read_money, read_number
from tailtune.tasks.extraction.values.texts import (
    OUTER,
    Refusal,
    chosen,
    read_email,
    read_phone,
    shown,
    text_forms,
    tidy,
    yes_or_no,
)

_LONGEST = 200  # characters of a date, number or the like
Read = Refusal | Iterable[Any]


def valid(field: FieldSpec, value: Any) -> bool:
    """Whether a property's value (a whole list where the field holds many) is valid against its schema."""
    return bool(field.rules.whole.is_valid(value))


def object_valid(schema: ObjectSchema, values: Mapping[str, Any]) -> bool:
    """Whether an object is valid against the whole schema."""
    return bool(schema.validator.is_valid(dict(values)))


@dataclass(frozen=True, slots=True)
class Normalised:
    """One per surface and field.

    Attributes:
        value: The JSON value, valid against the field; None when it was refused.
        reason: Why it was refused; empty when it was not.
        needs_anchor: It is a date that counts from another one, and no such date was passed.
    """

    value: Any = None
    reason: str = ""
    needs_anchor: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return not self.reason


def normalise(field: FieldSpec, surface: str, anchor: date | None = None) -> Normalised:
    """The value that a surface names, valid against the field's schema.

    Args:
        field: Its kind says how the surface is read. For a field that holds many: the value of one item.
        surface: As it stands in the text.
        anchor: The day that relative dates count from; without it they are refused. No clock is asked.
    """
    text = tidy(surface)
    if not text:
        return Normalised(reason="nothing but white space")
    if field.kind != "text" and len(text) > _LONGEST:
        return Normalised(reason=f"{shown(text)} is too long for a {field.kind}")
    rules = field.rules
    read = READERS[field.kind](field, text, field.rules.hints, anchor)
    if isinstance(read, Refusal):
        return Normalised(reason=read.reason, needs_anchor=read.needs_anchor)
    first: list[Any] = []
    for value in read:
        if rules.item.is_valid(value):
            return Normalised(value)
        first = first or [value]
    return Normalised(
        reason=f"{shown(text)}: {rules.why_not(first[0])}" if first else f"no {field.kind} in {shown(text)}"
    )


def _text(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    return text_forms(text, hints.upper, hints.dashed)


def _number(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    return read_number(text, whole=False)


def _integer(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_number(text, whole=True)
    if isinstance(read, Refusal):
        return read
    return [int(value) for value in read if value == int(value)] or Refusal(f"no whole number in {shown(text)}")


def _date(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_date(text, anchor, hints.day_first)
    return read if isinstance(read, Refusal) else [read.isoformat()]


def _time(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_time(text)
    return read if isinstance(read, Refusal) else [read, f"{read}:00", f"{read}:00Z"]


def _money(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_money(text, hints.currencies, hints.currency)
    if isinstance(read, Refusal):
        return read
    amount = read["amount"]
    return [read, {**read, "amount": int(amount)}] if isinstance(amount, float) and amount.is_integer() else [read]


def _phone(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_phone(text, hints.region)
    return read if isinstance(read, Refusal) else [read]


def _email(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    read = read_email(text)
    return read if isinstance(read, Refusal) else [read]


def _choice(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    choice = chosen(text, field.choices)
    return Refusal(f"{shown(text)} is none of {', '.join(field.choices)}"[:160]) if choice is None else [choice]


def _flag(field: FieldSpec, text: str, hints: Hints, anchor: date | None) -> Read:
    flag = yes_or_no(text)
    return Refusal(f"{shown(text)} is neither yes nor no") if flag is None else [flag]


READERS: dict[Kind, Callable[[FieldSpec, str, Hints, date | None], Read]] = {
    "text": _text,
    "number": _number,
    "integer": _integer,
    "date": _date,
    "time": _time,
    "money": _money,
    "phone": _phone,
    "email": _email,
    "choice": _choice,
    "flag": _flag,
}
"""Kind → reader of the values that a surface may mean, the likeliest first."""


def canonical(field: FieldSpec, value: Any) -> Hashable:
    """The same key for all values that mean the same, whatever the case, blanks and outer punctuation of texts.

    Args:
        field: Its kind.
        value: A value, an item of a list, or a list (its order is no difference).
    """
    if isinstance(value, list):
        return tuple(sorted((canonical(field, item) for item in value), key=repr))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return round(float(value), 9) if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return tuple((name, canonical(field, value[name])) for name in sorted(value))
    text = tidy(str(value))
    if field.kind == "choice":
        return text
    return text.casefold().strip(OUTER) or text


def equal(field: FieldSpec, value: Any, other: Any) -> bool:
    """Whether two values mean the same; lists whatever their order, numbers within 1e-9."""
    if _is_number(value) and _is_number(other):
        return math.isclose(value, other, rel_tol=1e-12, abs_tol=1e-9)
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(equal(field, value[name], other[name]) for name in value)
    return canonical(field, value) == canonical(field, other)


def conform(field: FieldSpec, value: Any) -> Normalised:
    """Any JSON value that somebody wrote for a field, as a valid one: unchanged if valid, else read as a surface.

    Args:
        field: Where it holds many, a list is read item by item, and any other value is an item.
        value: Strings and numbers are read; `{"amount": "2.5k", "currency": "$"}` too.
    """
    rules = field.rules
    if field.many and isinstance(value, list):
        return _whole_list(field, [conform(field, item) for item in value])
    if rules.item.is_valid(value):
        return Normalised(value)
    if field.kind == "flag" and value in (0, 1) and not isinstance(value, str):
        return Normalised(bool(value))
    if isinstance(value, dict) and field.kind == "money":
        return normalise(field, f"{value.get('currency') or ''} {value.get('amount', '')}")
    if isinstance(value, str) or _is_number(value):
        return normalise(field, str(value))
    return Normalised(reason=f"a {type(value).__name__} is no {field.kind}")


def _whole_list(field: FieldSpec, made: list[Normalised]) -> Normalised:
    """The list of the values that were read, repeats left out where the schema allows none."""
    bad = next((item for item in made if not item.ok), None)
    if bad is not None:
        return bad
    whole = field.rules.whole
    values = [item.value for item in made]
    if not whole.is_valid(values):
        first: dict[Hashable, Any] = {}
        for value in values:
            first.setdefault(canonical(field, value), value)
        values = list(first.values())
    wrong = next((error.message[:160] for error in whole.iter_errors(values)), "")
    return Normalised(reason=wrong) if wrong else Normalised(values)


def means(field: FieldSpec, answered: Any, expected: Any) -> bool:
    """Whether an answer, however it is written, means the expected value.

    Args:
        field: Which field.
        answered: Any JSON value: `03/12/2026` means `2026-03-12`. Two lists are compared whatever their order.
        expected: A valid value; an item where the answer is one.
    """
    if answered is None or expected is None:
        return answered is expected
    if equal(field, answered, expected):
        return True
    if isinstance(answered, list) and isinstance(expected, list):
        keys = [_key(field, item) for item in answered]
        return Counter(keys) == Counter(canonical(field, item) for item in expected)
    made = conform(field, answered)
    return made.ok and equal(field, made.value, expected)


def _key(field: FieldSpec, item: Any) -> Hashable:
    made = conform(field, item)
    return canonical(field, made.value if made.ok else item)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
