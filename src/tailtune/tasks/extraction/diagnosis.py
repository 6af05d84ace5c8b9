"""The wrong fields of an answer, and what others say to each: what a diagnosis is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.core.records import Row
from tailtune.judge.diagnose import WrongPart
from tailtune.tasks.base import RowAnswers
from tailtune.tasks.extraction.annotations import Annotation, Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.score_rules import Rules, compared
from tailtune.tasks.extraction.tally import answered_values

_NOTHING = "null"


@dataclass(frozen=True)
class _Voices:
    """One per row: values that were said. None: nobody was asked, or what was said is no object."""

    expected: Values
    answered: Values
    strong: Values | None
    local: Values | None
    asked: bool


def wrong_parts(schema: ObjectSchema, rules: Rules, row: Row, answers: RowAnswers) -> tuple[WrongPart, ...]:
    """A part per wrong field, in the schema's order; then properties that the schema does not know.

    There is no confident learning over values. A field's label is suspect when the best local rung, which has learnt
    from other rows, gives the same other value as the prompted model.

    Args:
        schema: The fields.
        rules: What counts as the same value.
        row: The row.
        answers: What was answered.

    Returns:
        At least one part for a row that is not wholly right. An answer that is no object is one part without a name.
    """
    gold, given = Annotation.decode(row.label).values, answered_values(answers.answer)
    strong = None if answers.strong is None else answered_values(answers.strong)
    asked = answers.strong is not None
    if given is None:
        right = None if not asked else strong is not None and _right(schema, rules, strong, gold)
        told = None if strong is None else canonical(dict(strong))
        return (WrongPart("", canonical(dict(gold)), None, strong=told, strong_right=right),)
    local = None if answers.local is None else answered_values(answers.local)
    voices = _Voices(gold, given, strong, local, asked)
    shown = None if answers.shown is None else [Annotation.decode(label).values for label in answers.shown]
    wrong = [
        _part(schema, rules, field, voices, shown)
        for field in schema.fields
        if not _field_right(rules, field, given, gold)
    ]
    known = frozenset(schema.names)
    strange = [
        WrongPart(
            name,
            "no such field",
            canonical(value),
            strong_right=None if not asked else strong is not None and name not in strong,
        )
        for name, value in given.items()
        if name not in known
    ]
    return (*wrong, *strange)


def _part(
    schema: ObjectSchema, rules: Rules, field: FieldSpec, voices: _Voices, shown: Sequence[Values] | None
) -> WrongPart:
    name = field.name
    expected, answered = voices.expected.get(name), voices.answered.get(name)
    cell = compared(rules, field, answered, expected)
    malformed = cell.meant == cell.given == cell.wanted
    said = _Told(rules, field)
    wanted = said.as_text(expected)
    # A badly written right value must stay different from what was expected: a reader sees what to change.
    given = canonical(answered) if malformed else said.as_text(answered)
    strong = None if voices.strong is None else said.as_text(voices.strong.get(name))
    local = None if voices.local is None else said.as_text(voices.local.get(name))
    right = voices.strong is not None and _field_right(rules, field, voices.strong, voices.expected)
    return WrongPart(
        name,
        wanted,
        given,
        strong=strong,
        strong_right=right if voices.asked else None,
        suspect=local is not None and local == given and local != wanted,
        evidence=None if shown is None else any((one.get(name) is None) == (expected is None) for one in shown),
        malformed=malformed,
        pair=_pair(schema, rules, field, voices),
    )


class _Told:
    """Values of one field as text: what means the same is written as it was first."""

    def __init__(self, rules: Rules, field: FieldSpec) -> None:
        self._rules, self._field = rules, field
        self._known: list[tuple[Any, str]] = []

    def as_text(self, value: Any) -> str:
        """The value as JSON, or as the JSON of what was said before and means the same."""
        if value is None:
            return _NOTHING
        for known, text in self._known:
            if self._rules.means(self._field, value, known):
                return text
        self._known.append((value, canonical(value)))
        return self._known[-1][1]


def _pair(schema: ObjectSchema, rules: Rules, field: FieldSpec, voices: _Voices) -> tuple[str, str] | None:
    """Two choices of a field; or the field and the one whose value was given for it; or the field and itself."""
    expected, answered = voices.expected.get(field.name), voices.answered.get(field.name)
    if answered is None:
        return None
    if field.choices and expected is not None:
        return f"{field.name}: {canonical(expected)}", f"{field.name}: {canonical(answered)}"
    for other in schema.fields:
        value = voices.expected.get(other.name)
        alike = other.name != field.name and (other.kind, other.many) == (field.kind, field.many)
        if alike and value is not None and rules.means(other, answered, value):
            return field.name, other.name
    return field.name, field.name


def _field_right(rules: Rules, field: FieldSpec, given: Values, gold: Values) -> bool:
    cell = compared(rules, field, given.get(field.name), gold.get(field.name))
    return cell.hits == cell.given == cell.wanted


def _right(schema: ObjectSchema, rules: Rules, given: Mapping[str, Any], gold: Values) -> bool:
    known = frozenset(schema.names)
    return known.issuperset(given) and all(_field_right(rules, field, given, gold) for field in schema.fields)
