"""A row that was answered wrongly, as a person reads it: the fields that differ, and the text marked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailtune.core.records import Answer, Row
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.scorer import Rules, marked
from tailtune.tasks.extraction.tally import answered_values


def failure(
    schema: ObjectSchema, rules: Rules, row: Row, answer: Answer, others: Mapping[str, Answer]
) -> dict[str, Any]:
    """A line of failures.jsonl.

    Args:
        schema: The fields.
        rules: What counts as the same value.
        row: The row.
        answer: The winner's answer.
        others: Other predictor → its answer.

    Returns:
        Origin, text, `wrong` (field → expected, answered, confidence, the reason for null, and what the others said)
        and the text marked up where both know places.
    """
    expected = Annotation.decode(row.label)
    given = answered_values(answer) or {}
    beside = {name: answered_values(other) or {} for name, other in others.items()}
    extraction = answer if isinstance(answer, Extraction) else None
    wrong = {}
    for field in schema.fields:
        wanted, said = expected.values.get(field.name), given.get(field.name)
        if (wanted or None) == (said or None) or rules.means(field, said, wanted):
            continue
        facts: dict[str, Any] = {"expected": wanted, "answered": said}
        if extraction is not None:
            sure, why = extraction.confidences.get(field.name), extraction.reasons.get(field.name)
            facts |= {} if sure is None else {"confidence": round(sure, 4)}
            facts |= {"reason": why} if why else {}
        wrong[field.name] = facts | {f"{name}_answered": values.get(field.name) for name, values in beside.items()}
    spans = () if extraction is None else extraction.spans
    return {
        "origin": row.origin,
        "text": row.text,
        "wrong": wrong,
        "marked": marked(row.text, expected.spans, spans) if expected.spans or spans else row.text,
    }
