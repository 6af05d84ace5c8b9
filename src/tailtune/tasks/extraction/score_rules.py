"""What counts as the same value, a well-formed value and a valid object; and items matched by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tailtune.tasks.extraction.annotations import Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec

Means = Callable[[FieldSpec, Any, Any], bool]
"""(field, answered, expected) → whether both say the same, however the answered one is written."""
Valid = Callable[[FieldSpec, Any], bool]
"""(field, value) → whether the value has the field's format."""
ObjectValid = Callable[[Values], bool]
"""values → whether the object is valid against the whole schema."""


@dataclass(frozen=True)
class Rules:
    """One per schema: the normalisers' judgement, handed in. All three are pure, and take any JSON value.

    A field that holds a list is asked about one item at a time, which is handed in as a list of one.

    Attributes:
        means: Whether an answered value says what was expected.
        valid: Whether a value has its field's format.
        object_valid: Whether an object is valid against the schema.
    """

    means: Means
    valid: Valid
    object_valid: ObjectValid
    _valid: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False, compare=False)

    def formed(self, spec: FieldSpec, item: Any) -> bool:
        """Whether one item of a field has its format; asked once per field and value."""
        key = (spec.name, canonical(item))
        known = self._valid.get(key)
        if known is None:
            known = self._valid[key] = bool(self.valid(spec, [item] if spec.many else item))
        return known

    def same(self, spec: FieldSpec, answered: Any, expected: Any) -> bool:
        """Whether one item says what another does; equal ones do."""
        if type(answered) is type(expected) and answered == expected:
            return True
        return bool(self.means(spec, [answered], [expected]) if spec.many else self.means(spec, answered, expected))


@dataclass(frozen=True, slots=True)
class Cell:
    """One per row and field: its items counted. A field without a list has one item, or none.

    Attributes:
        hits: Answered items that are well-formed and expected.
        given: Answered items.
        wanted: Expected items.
        formed: Answered items that are well-formed.
        meant: Answered items that say something expected, well-formed or not.
    """

    hits: int = 0
    given: int = 0
    wanted: int = 0
    formed: int = 0
    meant: int = 0


EMPTY = Cell()


def compared(rules: Rules, spec: FieldSpec, answered: Any, expected: Any) -> Cell:
    """An answered value held against the expected one; an expected item is met by one answered item at most."""
    if answered is None and expected is None:
        return EMPTY
    given, wanted = items(answered), items(expected)
    whole = (
        answered is None or isinstance(answered, list) == spec.many
    )  # a list where one value belongs, or one for a list
    good = [item for item in given if whole and rules.formed(spec, item)]
    left = list(wanted)
    hits = _met(rules, spec, good, left)
    others = [item for item in given if not (whole and rules.formed(spec, item))]
    return Cell(hits, len(given), len(wanted), len(good), hits + _met(rules, spec, others, left))


def items(value: Any) -> list[Any]:
    """The items of a field's value: those of a list, the value itself, or none for null."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _met(rules: Rules, spec: FieldSpec, given: Sequence[Any], left: list[Any]) -> int:
    """How many items are met by one of those left, which is taken out."""
    met = 0
    for item in given:
        for i, wanted in enumerate(left):
            if rules.same(spec, item, wanted):
                del left[i]
                met += 1
                break
    return met
