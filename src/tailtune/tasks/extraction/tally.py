"""Answers counted: what was given, wanted and right, per row and field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Span
from tailtune.tasks.extraction.annotations import Annotation, Extraction, Values
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.score_rules import Rules, compared

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Tally:
    """One per predictor and set of rows: n rows, f fields in the schema's order.

    Attributes:
        hits: Answered items that are well-formed and expected, shape (n, f).
        given: Answered items, shape (n, f).
        wanted: Expected items, shape (n, f).
        formed: Answered items with their field's format, shape (n, f).
        meant: Answered items that say something expected, well-formed or not, shape (n, f).
        confidence: Probability given to each field's answer, NaN where there is none, shape (n, f).
        spans: Spans that are equal, answered, and expected, shape (n, 3).
        objects: Whether the answer was a JSON object, shape (n,).
        valid: Whether the object is valid against the schema, shape (n,).
        strange: Whether the object has a property that the schema does not know, shape (n,).
    """

    hits: Counts
    given: Counts
    wanted: Counts
    formed: Counts
    meant: Counts
    confidence: NDArray[np.float32]
    spans: Counts
    objects: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    strange: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each field is right, those rightly empty included, shape (n, f); never where there is no object."""
        full = (self.hits == self.given) & (self.hits == self.wanted)
        result: NDArray[np.bool_] = full & self.objects[:, None]
        return result

    @property
    def rows_right(self) -> NDArray[np.bool_]:
        """Whether each row's object is wholly right: every field is, and nothing unknown stands in it; shape (n,)."""
        result: NDArray[np.bool_] = self.right.all(axis=1) & ~self.strange
        return result

    @property
    def outcomes(self) -> NDArray[np.int64]:
        """Items that were right, wrong and missed (true positives, false positives, false negatives), shape (n, 3)."""
        hits, given, wanted = (part.sum(axis=1, dtype=np.int64) for part in (self.hits, self.given, self.wanted))
        return np.stack([hits, given - hits, wanted - hits], axis=1)


def tally(schema: ObjectSchema, expected: Sequence[Annotation], answers: Sequence[Answer], rules: Rules) -> Tally:
    """Hold every field of every answer against what was expected.

    Args:
        schema: The fields; what else an answer names only makes the row wrong.
        expected: Gold labels, n of them.
        answers: One per row, same order. One that is not an object has every field empty and none right.
        rules: What counts as the same.

    Raises:
        ValueError: Lengths differ or there is nothing to count.
    """
    if len(expected) != len(answers) or not expected:
        raise ValueError(f"{len(answers)} answers for {len(expected)} rows; expected as many, and at least one")
    n, names = len(answers), frozenset(schema.names)
    cells = np.zeros((5, n, len(schema.fields)), dtype=np.int32)
    confidence = np.full((n, len(schema.fields)), np.nan, dtype=np.float32)
    spans, flags = np.zeros((n, 3), dtype=np.int32), np.zeros((3, n), dtype=np.bool_)
    for i, (gold, answer) in enumerate(zip(expected, answers, strict=True)):
        values = answered_values(answer)
        given: Values = values or {}
        for j, spec in enumerate(schema.fields):
            cell = compared(rules, spec, given.get(spec.name), gold.values.get(spec.name))
            if cell.given or cell.wanted:
                cells[:, i, j] = (cell.hits, cell.given, cell.wanted, cell.formed, cell.meant)
        if isinstance(answer, Extraction):
            confidence[i] = [answer.confidences.get(name, np.nan) for name in schema.names]
        spans[i] = _spans(gold.spans, answered_spans(answer))
        if values is not None:
            flags[:, i] = True, rules.object_valid(values), not names.issuperset(values)
    hits, offered, wanted, formed, meant = cells
    objects, valid, strange = flags
    return Tally(hits, offered, wanted, formed, meant, confidence, spans, objects, valid, strange)


def answered_values(answer: Answer) -> Values | None:
    """The object of an answer; None when there is none."""
    if answer.value is None:
        return None
    if isinstance(answer, Extraction):
        return answer.values
    try:
        held: Any = json.loads(answer.value)
    except ValueError:
        return None
    return held if isinstance(held, dict) else None


def answered_spans(answer: Answer) -> tuple[Span, ...]:
    """Where the values of an answer stand; empty for one that does not say."""
    return answer.spans if isinstance(answer, Extraction) else ()


def _spans(expected: Sequence[Span], answered: Sequence[Span]) -> tuple[int, int, int]:
    """How many are equal, answered, expected; the same span twice is one."""
    gold, found = frozenset(expected), frozenset(answered)
    return len(gold & found), len(found), len(gold)
