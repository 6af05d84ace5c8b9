"""The wrong fields of an answer, and what other predictors answered to each: what a diagnosis is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.core.records import Row
from tailtune.judge.diagnose import WrongPart
from tailtune.tasks.base import RowAnswers
from tailtune.tasks.extraction.annotations import Annotation, Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.scoring import Rules, answered_values, compared

_NOTHING = "null"


@dataclass(frozen=True)
class _Answers:
    """One per row: the values of several answers to it; None where there is no answer, or it is no object."""

    expected: Values
    answered: Values
    strong: Values | None
    local: Values | None
    strong_asked: bool


def wrong_parts(schema: ObjectSchema, rules: Rules, row: Row[Annotation], answers: RowAnswers) -> tuple[WrongPart, ...]:
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
    gold, answered = row.label.values, answered_values(answers.answer)
    strong = None if answers.strong is None else answered_values(answers.strong)
    asked_strong = answers.strong is not None
    if answered is None:
        right = None if not asked_strong else strong is not None and _right(schema, rules, strong, gold)
        whole = None if strong is None else canonical(dict(strong))
        return (WrongPart("", canonical(dict(gold)), None, strong=whole, strong_right=right),)
    local = None if answers.local is None else answered_values(answers.local)
    row_answers = _Answers(gold, answered, strong, local, asked_strong)
    shown = None if answers.shown is None else [label.values for label in answers.shown]
    wrong = [
        _wrong_part(schema, rules, field, row_answers, shown)
        for field in schema.fields
        if not _field_right(rules, field, answered, gold)
    ]
    known = frozenset(schema.names)
    strange = [
        WrongPart(
            name,
            "no such field",
            canonical(value),
            strong_right=None if not asked_strong else strong is not None and name not in strong,
        )
        for name, value in answered.items()
        if name not in known
    ]
    return (*wrong, *strange)


def _wrong_part(
    schema: ObjectSchema, rules: Rules, field: FieldSpec, row_answers: _Answers, shown: Sequence[Values] | None
) -> WrongPart:
    name = field.name
    expected, answered = row_answers.expected.get(name), row_answers.answered.get(name)
    cell = compared(rules, field, answered, expected)
    malformed = cell.meant == cell.answered == cell.expected
    texts = _Texts(rules, field)
    expected_text = texts.of(expected)
    # A badly written right value must stay different from what was expected: a reader sees what to change.
    answered_text = canonical(answered) if malformed else texts.of(answered)
    strong = None if row_answers.strong is None else texts.of(row_answers.strong.get(name))
    local = None if row_answers.local is None else texts.of(row_answers.local.get(name))
    right = row_answers.strong is not None and _field_right(rules, field, row_answers.strong, row_answers.expected)
    return WrongPart(
        name,
        expected_text,
        answered_text,
        strong=strong,
        strong_right=right if row_answers.strong_asked else None,
        suspect=local is not None and local == answered_text and local != expected_text,
        evidence=None if shown is None else any((values.get(name) is None) == (expected is None) for values in shown),
        malformed=malformed,
        pair=_pair(schema, rules, field, row_answers),
    )


class _Texts:
    """Values of one field as text: values that mean the same have the text of the first of them."""

    def __init__(self, rules: Rules, field: FieldSpec) -> None:
        self._rules, self._field = rules, field
        self._known: list[tuple[Any, str]] = []

    def of(self, value: Any) -> str:
        """The value as JSON, or as the JSON of an earlier value that means the same."""
        if value is None:
            return _NOTHING
        for known, text in self._known:
            if self._rules.means(self._field, value, known):
                return text
        self._known.append((value, canonical(value)))
        return self._known[-1][1]


def _pair(schema: ObjectSchema, rules: Rules, field: FieldSpec, row_answers: _Answers) -> tuple[str, str] | None:
    """Two choices of a field; or the field and the one whose value was answered for it; or the field and itself."""
    expected, answered = row_answers.expected.get(field.name), row_answers.answered.get(field.name)
    if answered is None:
        return None
    if field.choices and expected is not None:
        return f"{field.name}: {canonical(expected)}", f"{field.name}: {canonical(answered)}"
    for other in schema.fields:
        value = row_answers.expected.get(other.name)
        alike = other.name != field.name and (other.kind, other.many) == (field.kind, field.many)
        if alike and value is not None and rules.means(other, answered, value):
            return field.name, other.name
    return field.name, field.name


def _field_right(rules: Rules, field: FieldSpec, answered: Values, gold: Values) -> bool:
    cell = compared(rules, field, answered.get(field.name), gold.get(field.name))
    return cell.hits == cell.answered == cell.expected


def _right(schema: ObjectSchema, rules: Rules, answered: Mapping[str, Any], gold: Values) -> bool:
    known = frozenset(schema.names)
    return known.issuperset(answered) and all(_field_right(rules, field, answered, gold) for field in schema.fields)
