"""From what a text says to the value that a field wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from tailtune.tasks.extraction.schema import FieldSpec, Kind
from tailtune.tasks.extraction.values.dates import read_date
from tailtune.tasks.extraction.values.money import read_money
from tailtune.tasks.extraction.values.numbers import read_number
from tailtune.tasks.extraction.values.outcome import Normalised, Refusal, shown
from tailtune.tasks.extraction.values.phones import read_email, read_phone
from tailtune.tasks.extraction.values.rules import Rules, rules_of
from tailtune.tasks.extraction.values.texts import chosen, text_forms, tidy, yes_or_no
from tailtune.tasks.extraction.values.times import read_time

_LONGEST = 200  # characters of a date, number or the like
Read = Refusal | Iterable[Any]


def normalise(field: FieldSpec, surface: str, anchor: date | None = None) -> Normalised:
    """The value that a surface says, valid against the field's schema.

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
    rules = rules_of(field)
    read = READERS[field.kind](field, text, rules, anchor)
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


def _text(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    return text_forms(text, rules.hints.upper, rules.hints.dashed)


def _number(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    return read_number(text, whole=False)


def _integer(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_number(text, whole=True)
    if isinstance(read, Refusal):
        return read
    return [int(value) for value in read if value == int(value)] or Refusal(f"no whole number in {shown(text)}")


def _date(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_date(text, anchor, rules.hints.day_first)
    return read if isinstance(read, Refusal) else [read.isoformat()]


def _time(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_time(text)
    return read if isinstance(read, Refusal) else [read, f"{read}:00", f"{read}:00Z"]


def _money(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_money(text, rules.hints.currencies, rules.hints.currency)
    if isinstance(read, Refusal):
        return read
    amount = read["amount"]
    return [read, {**read, "amount": int(amount)}] if isinstance(amount, float) and amount.is_integer() else [read]


def _phone(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_phone(text, rules.hints.region)
    return read if isinstance(read, Refusal) else [read]


def _email(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    read = read_email(text)
    return read if isinstance(read, Refusal) else [read]


def _choice(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    choice = chosen(text, field.choices)
    return Refusal(f"{shown(text)} is none of {', '.join(field.choices)}"[:160]) if choice is None else [choice]


def _flag(field: FieldSpec, text: str, rules: Rules, anchor: date | None) -> Read:
    said = yes_or_no(text)
    return Refusal(f"{shown(text)} is neither yes nor no") if said is None else [said]


READERS: dict[Kind, Callable[[FieldSpec, str, Rules, date | None], Read]] = {
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
"""Kind → what a surface may mean, the likeliest first."""
