"""From candidate spans and chosen values to one valid object; a field that cannot be made valid is left empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Extraction
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.values.normalise import Normalised, canonical, normalise


@dataclass(frozen=True, slots=True)
class Candidate:
    """One per stretch of a text that may name a field's value; several may name the same field's.

    Attributes:
        span: Start, end and field.
        confidence: Probability that it is right, 0 to 1.
    """

    span: Span
    confidence: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """One per enum or yes / no field and text: the value chosen.

    Attributes:
        value: One of the field's choices, a bool, or None for none of them.
        confidence: Probability that it is right, 0 to 1.
    """

    value: str | bool | None
    confidence: float


def assemble(
    schema: ObjectSchema,
    text: str,
    found: Sequence[Candidate],
    chosen: Mapping[str, Chosen],
    absent: Mapping[str, float] | None = None,
) -> Extraction:
    """The object that candidates and choices make.

    A field of one value takes its most confident candidate that is valid, and all places that say the same; a list
    takes all that are valid, in the order of the text and without repeats. Relative dates count from the value of the
    field named by `x-relative-to`. A field without a valid value is null, with its reason if something was found; one
    that is not required and may not be null is left out.

    Args:
        schema: What is valid.
        text: What the spans stand in. Candidates outside of it or of no field of this schema are passed over.
        found: For fields whose values stand in the text.
        chosen: For the others. A field without one is empty; where it may not be, its first choice at confidence 0.
        absent: Field → probability that the text does not say it, the confidence of a null or an empty list.
    """
    work = _Assembly(schema, text, found, absent or {})
    for spec in schema.fields:
        if spec.spanned:
            work.read(spec, ())
        else:
            work.choose(spec, chosen.get(spec.name))
    values = {name: work.values[name] for name in schema.names if name in work.values}
    spans = tuple(sorted(span for spans in work.spans.values() for span in spans))
    sure = {name: float(work.sure[name]) for name in schema.names if name in work.sure}
    return Extraction.of(
        values, spans, sure, {name: work.reasons[name] for name in schema.names if name in work.reasons}
    )


@dataclass
class _Assembly:
    """One per text that is answered: what is known of its fields so far."""

    schema: ObjectSchema
    text: str
    found: Sequence[Candidate]
    absent: Mapping[str, float]
    values: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    sure: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._candidates: dict[str, list[Candidate]] = {}
        for candidate in self.found:
            if 0 <= candidate.span.start < candidate.span.end <= len(self.text):
                self._candidates.setdefault(candidate.span.label, []).append(candidate)

    def read(self, of: FieldSpec, asking: tuple[str, ...]) -> None:
        """Settle a field whose values stand in the text.

        Args:
            of: The field.
            asking: Fields whose dates wait for this one, so that none waits for itself.
        """
        if of.name in self._done:
            return
        if of.name not in self._candidates:
            self._done.add(of.name)
            self._take_none(of, [], [])
            return
        ranked = sorted(self._candidates[of.name], key=lambda candidate: (-candidate.confidence, candidate.span))
        made = [(candidate, self._made(of, candidate.span.of(self.text), asking)) for candidate in ranked]
        if of.name in self._done:  # settled while it was asked for its own anchor
            return
        self._done.add(of.name)
        good = [(candidate, result.value) for candidate, result in made if result.ok]
        if of.many:
            self._take_many(of, good)
        elif good:
            self._take_one(of, good)
        if not good:
            self._take_none(of, ranked, [result.reason for _, result in made])

    def choose(self, of: FieldSpec, choice: Chosen | None) -> None:
        """Settle a field whose value is chosen."""
        rules = of.rules
        if choice is not None and choice.value is not None and rules.item.is_valid(choice.value):
            self.values[of.name], self.sure[of.name] = choice.value, choice.confidence
        elif of.nullable:
            self._leave_empty(of)
            if choice is not None and choice.value is None:
                self.sure[of.name] = choice.confidence
            elif choice is not None:
                self.reasons[of.name], self.sure[of.name] = f"{choice.value!r} is no choice", 0.0
        else:
            self.values[of.name] = of.choices[0] if of.kind == "choice" else False
            self.sure[of.name], self.reasons[of.name] = 0.0, "nothing was chosen, and it may not be empty"

    def _made(self, of: FieldSpec, surface: str, asking: tuple[str, ...]) -> Normalised:
        result = normalise(of, surface)
        if not result.needs_anchor:
            return result
        origin = of.relative_to
        if origin is None:
            return result
        if origin == of.name or origin in asking:
            return Normalised(reason=f"{result.reason}: {origin} counts from it in turn")
        self.read(self.schema[origin], (*asking, of.name))
        anchor = self.values.get(origin)
        if not isinstance(anchor, str):
            return Normalised(reason=f"{result.reason}: {origin} has no value")
        return normalise(of, surface, date.fromisoformat(anchor))

    def _take_one(self, of: FieldSpec, good: list[tuple[Candidate, Any]]) -> None:
        best, value = good[0]
        key = canonical(of, value)
        self.values[of.name], self.sure[of.name] = value, best.confidence
        self.spans[of.name] = list({candidate.span for candidate, other in good if canonical(of, other) == key})

    def _take_many(self, of: FieldSpec, good: list[tuple[Candidate, Any]]) -> None:
        most = _most(of.subschema)
        best: dict[Any, float] = {}  # surest first, as candidates come
        for candidate, value in good:
            best.setdefault(canonical(of, value), candidate.confidence)
        kept = dict(list(best.items())[:most])
        placed = [(candidate.span, canonical(of, value), value) for candidate, value in good]
        first: dict[Any, Any] = {}
        for _, key, value in sorted(placed, key=lambda item: item[0]):
            if key in kept:
                first.setdefault(key, value)
        self.values[of.name] = list(first.values())
        self.spans[of.name] = list({span for span, key, _ in placed if key in kept})
        if kept:
            self.sure[of.name] = min(kept.values())

    def _take_none(self, of: FieldSpec, ranked: list[Candidate], reasons: list[str]) -> None:
        self._leave_empty(of)
        if reasons:
            self.reasons[of.name] = reasons[0]
        if of.name in self.absent:
            self.sure[of.name] = self.absent[of.name]
        elif ranked:
            self.sure[of.name] = 1.0 - ranked[0].confidence

    def _leave_empty(self, of: FieldSpec) -> None:
        """Null, an empty list, or nothing at all: whichever is valid."""
        if of.many:
            self.values[of.name] = []
        elif of.rules.takes_null:
            self.values[of.name] = None


def _most(schema: Mapping[str, Any]) -> int | None:
    """How many items a list may have; None without a limit."""
    for way in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "maxItems" in way:
            return int(way["maxItems"])
    return None
