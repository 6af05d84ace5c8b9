"""Rows as the prediction log has them, turned into the columns that are compared between then and now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tailtune.core.monitored import STRANGENESS, Floats, Sample
from tailtune.judge.drift import strangeness
from tailtune.lifecycle.reference import OF_TEXTS
from tailtune.services.languages import language
from tailtune.tasks.base import Task

READ = ("text", "answer", "confidence", "likeliest", "embedding", "novelty", "unknown_share", "tokens", "slices")
"""Columns of the prediction log that a sample is made of."""
_NUMBERS = {"confidence": "confidence", "novelty": "novelty", "unknown_share": "unknown words", "tokens": "length"}
_SLICE = "slice "
_REPLACED = "\ufffd"


def sample_of(rows: Sequence[Mapping[str, Any]], task: Task) -> Sample:
    """The columns of rows, of a window or of a reference alike.

    A measure that no row has is not listed: it was not measured, which is not the same as nothing.

    Args:
        rows: With the columns `READ`, as the prediction log gives them.
        task: Says what of an answer is compared.
    """
    numbers: dict[str, list[float]] = defaultdict(lambda: [np.nan] * len(rows))
    categories: dict[str, list[str | None]] = defaultdict(lambda: [None] * len(rows))
    for place, row in enumerate(rows):
        for column, measure in _NUMBERS.items():
            if row[column] is not None:
                numbers[measure][place] = float(row[column])
        watched = task.watched(row["answer"], row["likeliest"] or ())
        for measure, category in watched.categories.items():
            categories[measure][place] = category
        for measure, number in watched.numbers.items():
            numbers[measure][place] = number
        for column, value in (row["slices"] or {}).items():
            categories[f"{_SLICE}{column}"][place] = str(value)
        for measure, category in about_text(row).items():
            categories[measure][place] = category
    measured = {name: np.array(values) for name, values in numbers.items() if not np.isnan(values).all()}
    if "novelty" in measured and "confidence" in measured:
        measured[STRANGENESS] = strangeness(measured["novelty"], measured["confidence"])
    return Sample(
        rows=len(rows),
        numbers=measured,
        categories=dict(categories),
        embeddings=_embeddings([row["embedding"] for row in rows]),
    )


def about_text(row: Mapping[str, Any]) -> dict[str, str | None]:
    """What is measured of a row's text: now, or before it was left out; empty where neither is there."""
    if row["text"] is not None:
        unreadable = "yes" if is_unreadable(row["text"]) else "no"
        return {"language": language(row["text"]), "unreadable": unreadable}
    return {measure: row[measure] for measure in OF_TEXTS if row.get(measure)}


def without_answers(sample: Sample) -> Sample:
    """What texts alone show: of a reference whose answers nobody kept, no answer is no share of rows without one."""
    categories = {
        name: values for name, values in sample.categories.items() if name in OF_TEXTS or name.startswith(_SLICE)
    }
    numbers = {name: values for name, values in sample.numbers.items() if name in _NUMBERS.values()}
    return Sample(sample.rows, numbers, categories, sample.embeddings)


def is_unreadable(text: str) -> bool:
    """Whether a text came in damaged: characters that somebody could not decode, or not a single letter."""
    return _REPLACED in text or not any(character.isalpha() for character in text)


def _embeddings(kept: Sequence[bytes | None]) -> Floats | None:
    """Each row's vector, NaN where it has none; of one model all have the same width."""
    width = next((len(each) for each in kept if each), 0)
    if not width:
        return None
    none = np.full(width // 2, np.nan, np.float16).tobytes()
    vectors = b"".join(each if each and len(each) == width else none for each in kept)
    return np.frombuffer(vectors, np.float16).reshape(len(kept), width // 2)
