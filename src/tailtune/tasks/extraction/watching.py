"""What of an object the monitor compares between then and now: each field on its own."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.tasks.base import Likeliest, Watched
from tailtune.tasks.extraction.schema import ObjectSchema

FILLED, EMPTY, VALID = "yes", "no", "a valid object"


def watched(schema: ObjectSchema, answer: str | None, likeliest: Sequence[tuple[str, float]]) -> Watched:
    """Of every field whether it has a value, of enums and yes / no the value, and the field's confidence.

    Args:
        schema: Of the use case.
        answer: The object as text; None where there was no valid one: then no field is known.
        likeliest: Fields with their confidences.
    """
    try:
        values = None if answer is None else json.loads(answer)
    except ValueError:
        values = None
    known = values if isinstance(values, dict) else None
    categories: dict[str, str | None] = {"answer": None if known is None else VALID}
    for field in schema.fields:
        value = None if known is None else known.get(field.name)
        filled = value not in (None, [], "")
        categories[f"{field.name} filled"] = None if known is None else (FILLED if filled else EMPTY)
        if not field.spanned:
            categories[field.name] = json.dumps(value, ensure_ascii=False).strip('"') if filled else None
    return Watched(categories, {f"confidence of {name}": confidence for name, confidence in likeliest})


def confidences(rows: Sequence[Likeliest], names: Sequence[str]) -> NDArray[np.float64]:
    """Confidence of each field in each row, NaN where there is none, shape (rows, fields)."""
    known = [dict(row) for row in rows]
    table = [[row.get(name, np.nan) for name in names] for row in known]
    return np.array(table, dtype=np.float64).reshape(len(rows), len(names))
