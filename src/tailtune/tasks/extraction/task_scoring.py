"""The scorer of extraction answers, joined to the schema and to what the normalisers take for the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tailtune.core.records import Answer, Row
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


def details(
    schema: ObjectSchema,
    rows: Sequence[Row],
    answers: Sequence[Answer],
    other: Sequence[Answer] | None,
    bins: int,
) -> Details:
    """Per field, confusions between fields of a kind and between choices, calibration of field answers."""
    gold, same = _gold(rows), rules(schema)
    won = judge.tally(schema, gold, answers, same)
    beside = None if other is None else judge.tally(schema, gold, other, same)
    return Details(
        per_field=judge.per_field(schema, won, beside),
        confusions=judge.confusions(schema, gold, answers, won, same),
        calibration=judge.calibration(won, bins),
    )


def rules(schema: ObjectSchema) -> judge.Rules:
    """What counts as the same value, a well-formed one, a valid object."""
    from tailtune.tasks.extraction.values import means, object_valid, valid

    return judge.Rules(means, valid, partial(object_valid, schema))


def _gold(rows: Sequence[Row]) -> list[Annotation]:
    return [Annotation.decode(row.label) for row in rows]
