"""Measures of extraction, each with its interval over rows: the fields of one row are not independent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.measures import of_one
from tailtune.core.records import Answer, Span
from tailtune.core.reports import CalibrationBin
from tailtune.judge.counted import Counted, groups_of
from tailtune.judge.scores import Score, calibration_error
from tailtune.judge.scores import calibration as binned
from tailtune.tasks.extraction.annotations import Annotation, Extraction, Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.values import means, object_valid, valid


@dataclass(frozen=True)
class Rules:
    """One per schema: what counts as the same value and as a valid one. All three are pure, and take any JSON value.

    A field that holds a list is compared one item at a time, each passed as a list of one.

    Attributes:
        means: Whether an answered value says what was expected, however it is written.
        valid: Whether a value has its field's format.
        object_valid: Whether an object is valid against the schema.
    """

    means: Callable[[FieldSpec, Any, Any], bool]
    valid: Callable[[FieldSpec, Any], bool]
    object_valid: Callable[[Values], bool]
    _valid: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, schema: ObjectSchema) -> Rules:
        """By the project's own normalisers."""
        return cls(means, valid, partial(object_valid, schema))

    def formed(self, spec: FieldSpec, item: Any) -> bool:
        """Whether one item of a field has its format; computed once per field and value."""
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
        answered: Answered items.
        expected: Expected items.
        formed: Answered items that are well-formed.
        meant: Answered items that say something expected, well-formed or not.
    """

    hits: int = 0
    answered: int = 0
    expected: int = 0
    formed: int = 0
    meant: int = 0


EMPTY = Cell()


def compared(rules: Rules, spec: FieldSpec, answered: Any, expected: Any) -> Cell:
    """Compare an answered value with the expected one; an expected item is met by one answered item at most."""
    if answered is None and expected is None:
        return EMPTY
    answers, unmet = items(answered), list(items(expected))
    shaped = answered is None or isinstance(answered, list) == spec.many  # a list for a list, one value for one value
    formed = [shaped and rules.formed(spec, item) for item in answers]
    expected_count = len(unmet)
    hits = _met(rules, spec, list(compress(answers, formed)), unmet)
    malformed = [item for item, good in zip(answers, formed, strict=True) if not good]
    return Cell(hits, len(answers), expected_count, sum(formed), hits + _met(rules, spec, malformed, unmet))


def items(value: Any) -> list[Any]:
    """The items of a field's value: those of a list, the value itself, or none for null."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _met(rules: Rules, spec: FieldSpec, answers: Sequence[Any], unmet: list[Any]) -> int:
    """How many answered items meet an expected one; each that is met is taken out of `unmet`."""
    met = 0
    for item in answers:
        for i, expected in enumerate(unmet):
            if rules.same(spec, item, expected):
                del unmet[i]
                met += 1
                break
    return met


Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Tally:
    """One per predictor and set of rows: n rows, f fields in the schema's order.

    Attributes:
        hits: Answered items that are well-formed and expected, shape (n, f).
        answered: Answered items, shape (n, f).
        expected: Expected items, shape (n, f).
        formed: Answered items with their field's format, shape (n, f).
        meant: Answered items that say something expected, well-formed or not, shape (n, f).
        confidence: Probability given to each field's answer, NaN where there is none, shape (n, f).
        spans: Spans that are equal, answered, and expected, shape (n, 3).
        objects: Whether the answer was a JSON object, shape (n,).
        valid: Whether the object is valid against the schema, shape (n,).
        strange: Whether the object has a property that the schema does not know, shape (n,).
    """

    hits: Counts
    answered: Counts
    expected: Counts
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
        full = (self.hits == self.answered) & (self.hits == self.expected)
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
        hits, answered, expected = (
            counts.sum(axis=1, dtype=np.int64) for counts in (self.hits, self.answered, self.expected)
        )
        return np.stack([hits, answered - hits, expected - hits], axis=1)


def tally(schema: ObjectSchema, expected: Sequence[Annotation], answers: Sequence[Answer], rules: Rules) -> Tally:
    """Compare every field of every answer with what was expected.

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
        named: Values = values or {}
        for j, spec in enumerate(schema.fields):
            cell = compared(rules, spec, named.get(spec.name), gold.values.get(spec.name))
            if cell.answered or cell.expected:
                cells[:, i, j] = (cell.hits, cell.answered, cell.expected, cell.formed, cell.meant)
        if isinstance(answer, Extraction):
            confidence[i] = [answer.confidences.get(name, np.nan) for name in schema.names]
        spans[i] = _spans(gold.spans, answered_spans(answer))
        if values is not None:
            flags[:, i] = True, rules.object_valid(values), not names.issuperset(values)
    hits, answered, expected_counts, formed, meant = cells
    objects, valid, strange = flags
    return Tally(hits, answered, expected_counts, formed, meant, confidence, spans, objects, valid, strange)


def answered_values(answer: Answer) -> Values | None:
    """The object of an answer; None when there is none."""
    if answer.value is None:
        return None
    if isinstance(answer, Extraction):
        return answer.values
    try:
        parsed: Any = json.loads(answer.value)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def answered_spans(answer: Answer) -> tuple[Span, ...]:
    """Where the values of an answer stand; empty for one that does not say."""
    return answer.spans if isinstance(answer, Extraction) else ()


def _spans(expected: Sequence[Span], answered: Sequence[Span]) -> tuple[int, int, int]:
    """How many are equal, answered, expected; the same span twice is one."""
    gold, found = frozenset(expected), frozenset(answered)
    return len(gold & found), len(found), len(gold)


_MOST_ANSWERS = 200_000  # field answers that a calibration is drawn from


@dataclass(frozen=True)
class ExtractionScore(Score):
    """One per predictor and set of rows.

    Attributes:
        tally: The counts behind the measures.
    """

    tally: Tally

    @property
    def outcomes(self) -> NDArray[np.int64]:
        """Values of each row that were right, wrong and missed, over all its fields."""
        return self.tally.outcomes


def score(
    schema: ObjectSchema,
    expected: Sequence[Annotation],
    answers: Sequence[Answer],
    rules: Rules | None = None,
    *,
    bins: int = 15,
    groups: Sequence[str | None] = (),
    recall: Iterable[str] = (),
    f1: Iterable[str] = (),
) -> ExtractionScore:
    """Score answers against the expected annotations.

    Per row and field, an answered item is right when it has the field's format and says what was expected; an answered
    one that is not right counts against precision, an expected one that is not met against recall. A wrong value where
    another was expected counts against both.

    Args:
        schema: The fields.
        expected: Gold labels, n of them.
        answers: One per row, same order; extractions, or answers whose value is a JSON object.
        rules: What counts as the same; by the project's own normalisers when None.
        bins: Equal-mass bins of the calibration error, over answers of fields.
        groups: Each row's group; empty when rows are independent.
        recall: Fields whose recall is a measure of its own.
        f1: Fields whose F1 is.

    Returns:
        Measures in the order field_f1, macro_f1, field_precision, field_recall, exact_match, field_accuracy, span_f1
        (left out when no span is expected), schema_valid, format_correct, value_correct, and those of single
        fields. A measure that nothing counts towards is NaN.

    Raises:
        ValueError: Lengths differ or there is nothing to score.
    """
    counted = tally(schema, expected, answers, rules or Rules.of(schema))
    return ExtractionScore(
        right=counted.rows_right,
        counted=_counted(counted) | _of_fields(schema, counted, recall, f1),
        groups=groups_of(groups),
        ece=calibration_error(calibration(counted, bins)),
        invalid_rows=int((~counted.objects).sum()),
        tally=counted,
    )


def _counted(tallied: Tally) -> dict[str, Counted]:
    """What each measure counts. Macro F1 is the mean over the fields that are expected at all."""
    hits, answered, expected, formed, meant = (
        counts.sum(axis=1, dtype=np.int64)
        for counts in (tallied.hits, tallied.answered, tallied.expected, tallied.formed, tallied.meant)
    )
    known = tallied.expected.any(axis=0)
    sizes = (tallied.answered + tallied.expected)[:, known]
    measures = {
        "field_f1": Counted.ratio(2 * hits, answered + expected),
        "macro_f1": Counted.ratio(2 * tallied.hits[:, known], sizes),
        "field_precision": Counted.ratio(hits, answered),
        "field_recall": Counted.ratio(hits, expected),
        "exact_match": Counted.shares(tallied.rows_right),
        "field_accuracy": Counted.ratio(tallied.right.sum(axis=1), np.full(len(hits), tallied.right.shape[1])),
    }
    if tallied.spans[:, 2].any():
        measures["span_f1"] = Counted.ratio(2 * tallied.spans[:, 0], tallied.spans[:, 1] + tallied.spans[:, 2])
    measures["schema_valid"] = Counted.shares(tallied.valid)
    measures["format_correct"] = Counted.ratio(formed, answered)
    measures["value_correct"] = Counted.ratio(meant, answered)
    return measures


def _of_fields(schema: ObjectSchema, tallied: Tally, recall: Iterable[str], f1: Iterable[str]) -> dict[str, Counted]:
    """Recall and F1 of single fields."""
    place = {name: at for at, name in enumerate(schema.names)}
    hits, answered, expected = (
        counts.astype(np.int64) for counts in (tallied.hits, tallied.answered, tallied.expected)
    )
    recalls = {name: Counted.ratio(hits[:, place[name]], expected[:, place[name]]) for name in recall}
    sizes = answered + expected
    scores = {name: Counted.ratio(2 * hits[:, place[name]], sizes[:, place[name]]) for name in f1}
    return {
        **{of_one("recall", name): counted for name, counted in recalls.items()},
        **{of_one("f1", name): counted for name, counted in scores.items()},
    }


def calibration(counted: Tally, bins: int, seed: int = 17) -> tuple[CalibrationBin, ...]:
    """Answers of fields (null included) in bins of equal mass by confidence; `accuracy` is the share that is right.

    Answers without a confidence are left out; empty when there is none at all. Of more than 200,000 answers a random
    sample of that size is taken.
    """
    sure, right = counted.confidence.ravel(), counted.right.ravel()
    known = np.flatnonzero(~np.isnan(sure))
    if not known.size:
        return ()
    if known.size > _MOST_ANSWERS:
        known = np.sort(np.random.default_rng(seed).choice(known, _MOST_ANSWERS, replace=False))
    return binned(sure[known].astype(np.float64), right[known], bins)
