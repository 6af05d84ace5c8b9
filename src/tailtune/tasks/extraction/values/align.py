"""Where a text says the values that it is labelled with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.values.places import Place, Reader


@dataclass(frozen=True, slots=True)
class Aligned:
    """One per text and object.

    Attributes:
        spans: One for each value that was found, sorted; they neither overlap nor cross.
        missing: Fields with a value that the text does not say, in the order of the schema.
        shared: Fields with a value that the text says only where another field's span stands already.
    """

    spans: tuple[Span, ...]
    missing: tuple[str, ...]
    shared: tuple[str, ...] = ()


def align(schema: ObjectSchema, text: str, values: Mapping[str, Any], taken: Iterable[Span] = ()) -> Aligned:
    """Find the place of each value of a field that stands in texts.

    Exact places come before ones with scanning errors (0.9 of the characters alike). Of several, the one wins that has
    the field's name around it, then the longest, then the first; values with the fewest places choose first.

    Args:
        schema: Whose fields they are; other names, and fields that are read from the whole text, are passed over.
        text: Any length.
        values: Field → valid value, a list where the field holds many.
        taken: Spans that stand already and are kept free of overlaps; they are not returned.
    """
    reader = Reader(text)
    asked = []
    for order, field in enumerate(schema.fields):
        if field.spanned and values.get(field.name) is not None:
            anchor = values.get(field.relative_to) if field.relative_to else None
            found = [reader.places(field, item, anchor) for item in _items(field, values[field.name])]
            asked += [(len(places), order, i, field.name, places) for i, places in enumerate(found)]
    claimed = _Claimed(taken)
    spans: list[Span] = []
    missing: set[str] = set()
    shared: set[str] = set()
    for _, _, _, name, places in sorted(asked, key=lambda one: one[:3]):
        place = next(claimed.free(places), None)
        if place is not None:
            claimed.add(place.start, place.end)
            spans.append(Span(place.start, place.end, name))
        else:
            (shared if places else missing).add(name)
    in_order = [name for name in schema.names if name in missing]
    return Aligned(
        tuple(sorted(spans)), tuple(in_order), tuple(name for name in schema.names if name in shared - missing)
    )


def _items(field: FieldSpec, value: Any) -> list[Any]:
    return list(value) if field.many and isinstance(value, list) else [value]


class _Claimed:
    """One per text: which stretches have an owner."""

    def __init__(self, taken: Iterable[Span]) -> None:
        self._held = [(span.start, span.end) for span in taken]

    def free(self, places: Iterable[Place]) -> Iterator[Place]:
        """The places that touch nobody's, in the order given."""
        for place in places:
            if all(place.end <= start or end <= place.start for start, end in self._held):
                yield place

    def add(self, start: int, end: int) -> None:
        self._held.append((start, end))
