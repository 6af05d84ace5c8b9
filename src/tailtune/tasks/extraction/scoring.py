"""Measures of extraction, each with its interval over rows: the fields of one row are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Estimate
from tailtune.judge.scores import Score, calibration_error
from tailtune.judge.stats import f1, percentile_interval, ratio, row_bootstrap, wilson
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.details import calibration
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.score_rules import Rules
from tailtune.tasks.extraction.tally import Tally, tally

Sums = NDArray[np.float64]
_MEASURES = ("hits", "given", "wanted")


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
    rules: Rules,
    *,
    resamples: int = 2000,
    bins: int = 15,
    seed: int = 17,
) -> ExtractionScore:
    """Score answers against the expected annotations.

    Per row and field, an answered item is right when it has the field's format and says what was expected; one that is
    given and not right counts against precision, one that was expected and not met against recall. A wrong value where
    another was expected counts against both.

    Args:
        schema: The fields.
        expected: Gold labels, n of them.
        answers: One per row, same order; extractions, or answers whose value is a JSON object.
        rules: What counts as the same.
        resamples: Bootstrap resamples of rows.
        bins: Equal-mass bins of the calibration error, over answers of fields.
        seed: Of the resampling.

    Returns:
        Measures in the order field_f1, macro_f1, field_precision, field_recall, exact_match, field_accuracy, span_f1
        (left out when no span is expected), schema_valid, format_correct, value_correct. A measure that nothing counts
        towards is NaN.

    Raises:
        ValueError: Lengths differ or there is nothing to score.
    """
    counted = tally(schema, expected, answers, rules)
    return ExtractionScore(
        right=counted.rows_right,
        metrics=_metrics(counted, resamples, seed),
        ece=calibration_error(calibration(counted, bins)),
        invalid_rows=int((~counted.objects).sum()),
        tally=counted,
    )


def _metrics(counted: Tally, resamples: int, seed: int) -> dict[str, Estimate]:
    """All measures from one set of resamples; only sums over rows are kept of each."""
    rows, fields = counted.right.shape
    parts = [getattr(counted, name) for name in _MEASURES]
    alone = [counted.right.sum(axis=1), counted.formed.sum(axis=1), counted.meant.sum(axis=1)]
    columns = np.concatenate([*parts, counted.spans, np.stack(alone, axis=1)], axis=1)
    total: Sums = columns.sum(axis=0, dtype=np.float64)[None, :]
    drawn = row_bootstrap(columns, resamples, seed)

    def estimate(measure: Callable[[Sums], Sums]) -> Estimate:
        return percentile_interval(float(measure(total)[0]), measure(drawn), rows)

    def micro(sums: Sums) -> tuple[Sums, Sums, Sums]:
        hits, given, wanted = (sums[:, i * fields : (i + 1) * fields].sum(axis=1) for i in range(3))
        return hits, given, wanted

    def macro(sums: Sums) -> Sums:
        return _mean_f1(*(sums[:, i * fields : (i + 1) * fields] for i in range(3)))

    at = 3 * fields
    metrics = {
        "field_f1": estimate(lambda sums: f1(*micro(sums))),
        "macro_f1": estimate(macro),
        "field_precision": estimate(lambda sums: ratio(micro(sums)[0], micro(sums)[1])),
        "field_recall": estimate(lambda sums: ratio(micro(sums)[0], micro(sums)[2])),
        "exact_match": wilson(int(counted.rows_right.sum()), rows),
        "field_accuracy": estimate(lambda sums: sums[:, at + 3] / (rows * fields)),
    }
    if counted.spans[:, 2].any():
        metrics["span_f1"] = estimate(lambda sums: f1(sums[:, at], sums[:, at + 1], sums[:, at + 2]))
    metrics["schema_valid"] = wilson(int(counted.valid.sum()), rows)
    metrics["format_correct"] = estimate(lambda sums: ratio(sums[:, at + 4], micro(sums)[1]))
    metrics["value_correct"] = estimate(lambda sums: ratio(sums[:, at + 5], micro(sums)[1]))
    return metrics


def _mean_f1(hits: Sums, given: Sums, wanted: Sums) -> Sums:
    """Mean F1 over the fields that are expected at all, shape (r, f) → (r,); NaN where none is."""
    expected = wanted > 0
    per_field = np.where(expected, f1(hits, given, wanted), 0.0)
    return ratio(per_field.sum(axis=1), expected.sum(axis=1).astype(np.float64))
