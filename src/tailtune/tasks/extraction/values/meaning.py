"""When two values mean the same, and what a badly formatted answer means."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from datetime import date
from typing import Any

from tailtune.tasks.extraction.schema import FieldSpec
from tailtune.tasks.extraction.values.normalise import normalise
from tailtune.tasks.extraction.values.outcome import Normalised
from tailtune.tasks.extraction.values.rules import rules_of
from tailtune.tasks.extraction.values.texts import OUTER, tidy


def canonical(field: FieldSpec, value: Any) -> Hashable:
    """One key for all values that mean the same: case, blanks and outer punctuation of texts are no difference.

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


def equal(field: FieldSpec, one: Any, other: Any) -> bool:
    """Whether two values mean the same; lists whatever their order, numbers within 1e-9."""
    if _number(one) and _number(other):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(field, one[name], other[name]) for name in one)
    return canonical(field, one) == canonical(field, other)


def conform(field: FieldSpec, value: Any, anchor: date | None = None) -> Normalised:
    """Any JSON value that somebody wrote for a field, as the field wants it: as it is if valid, else read as a surface.

    Args:
        field: Where it holds many, a list is read item by item; what is no list is one item.
        value: Strings and numbers are read; `{"amount": "2.5k", "currency": "$"}` too.
        anchor: The day that relative dates count from.
    """
    rules = rules_of(field)
    if field.many and isinstance(value, list):
        return _list(field, [conform(field, item, anchor) for item in value])
    if rules.item.is_valid(value):
        return Normalised(value)
    if field.kind == "flag" and value in (0, 1) and not isinstance(value, str):
        return Normalised(bool(value))
    if isinstance(value, dict) and field.kind == "money":
        return normalise(field, f"{value.get('currency') or ''} {value.get('amount', '')}", anchor)
    if isinstance(value, str) or _number(value):
        return normalise(field, str(value), anchor)
    return Normalised(reason=f"a {type(value).__name__} is no {field.kind}")


def _list(field: FieldSpec, made: list[Normalised]) -> Normalised:
    """The list of what was read, repeats left out where the schema wants none."""
    bad = next((one for one in made if not one.ok), None)
    if bad is not None:
        return bad
    whole = rules_of(field).whole
    values = [one.value for one in made]
    if not whole.is_valid(values):
        first: dict[Hashable, Any] = {}
        for value in values:
            first.setdefault(canonical(field, value), value)
        values = list(first.values())
    wrong = next((error.message[:160] for error in whole.iter_errors(values)), "")
    return Normalised(reason=wrong) if wrong else Normalised(values)


def means(field: FieldSpec, answered: Any, expected: Any, anchor: date | None = None) -> bool:
    """Whether an answer, however it is written, says the expected value.

    Args:
        field: Which field.
        answered: Any JSON value: `03/12/2026` says `2026-03-12`. Two lists are compared whatever their order.
        expected: A valid value; an item where the answer is one.
        anchor: The day that relative dates count from.
    """
    if answered is None or expected is None:
        return answered is expected
    if equal(field, answered, expected):
        return True
    if isinstance(answered, list) and isinstance(expected, list):
        keys = [_key(field, item, anchor) for item in answered]
        return Counter(keys) == Counter(canonical(field, item) for item in expected)
    made = conform(field, answered, anchor)
    return made.ok and equal(field, made.value, expected)


def _key(field: FieldSpec, item: Any, anchor: date | None) -> Hashable:
    made = conform(field, item, anchor)
    return canonical(field, made.value if made.ok else item)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
