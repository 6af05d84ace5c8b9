"""The scorer of extraction answers, joined to the schema and to what the normalisers take for the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Row
from tailtune.core.reports import Paired
from tailtune.judge.scores import Score
from tailtune.judge.stats import paired_counts
from tailtune.tasks.base import Details
from tailtune.tasks.extraction import scorer as judge
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.scorer import ExtractionScore


def score(
    schema: ObjectSchema, rows: Sequence[Row], answers: Sequence[Answer], resamples: int, bins: int
) -> ExtractionScore:
    """Field F1 and its companions, each with its interval over rows."""
    return judge.score(schema, _gold(rows), answers, rules(schema), resamples=resamples, bins=bins)


def compare(first: Score, second: Score, names: tuple[str, str], resamples: int) -> Paired:
    """Difference of field F1, paired by row; McNemar over wholly right objects.

    Raises:
        TypeError: A score is not one of extractions.
    """
    one, two = _tallied(first), _tallied(second)
    return paired_counts((one.tally.outcomes, one.right), (two.tally.outcomes, two.right), names, resamples=resamples)


def outcomes(score: Score) -> NDArray[np.int64]:
    """Values right, wrong and missed of each row, shape (n, 3).

    Raises:
        TypeError: The score is not one of extractions.
    """
    return _tallied(score).tally.outcomes


def details(
    schema: ObjectSchema,
    rows: Sequence[Row],
    answers: Sequence[Answer],
    other: Sequence[Answer] | None,
    found: Score,
    bins: int,
) -> Details:
    """Per field, confusions between fields of a kind and between choices, calibration of field answers."""
    gold, held, won = _gold(rows), rules(schema), _tallied(found).tally
    beside = None if other is None else judge.tally(schema, gold, other, held)
    return Details(
        per_field=judge.per_field(schema, won, beside),
        confusions=judge.confusions(schema, gold, answers, won, held),
        calibration=judge.calibration(won, bins),
    )


def rules(schema: ObjectSchema) -> judge.Rules:
    """What counts as the same value, a well-formed one, a valid object."""
    from tailtune.tasks.extraction.values import means, object_valid, valid

    return judge.Rules(means, valid, partial(object_valid, schema))


def _gold(rows: Sequence[Row]) -> list[Annotation]:
    return [Annotation.decode(row.label) for row in rows]


def _tallied(score: Score) -> ExtractionScore:
    if not isinstance(score, ExtractionScore):
        raise TypeError(f"expected the score of extractions, got {type(score).__name__}")
    return score
