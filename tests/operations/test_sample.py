"""Logged rows as columns."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from tailtune.core.monitored import Sample
from tailtune.operations.sample import READ, sample_of
from tailtune.tasks.base import Task, Watched


class OneAnswer:
    """Compares the answer as it is."""

    def watched(self, answer: str | None, likeliest: object) -> Watched:
        return Watched({"answer": answer})


def sample(*rows: dict[str, Any]) -> Sample:
    return sample_of([{**dict.fromkeys(READ), **row} for row in rows], cast("Task", OneAnswer()))


def test_rows_without_a_vector_keep_their_place() -> None:
    vector = np.array([0.6, 0.8], np.float16)
    made = sample(
        {"answer": "a"}, {"answer": "b", "embedding": vector.tobytes()}, {"answer": None, "embedding": b"odd"}
    )
    assert made.embeddings is not None
    assert made.embeddings.shape == (3, 2)
    assert np.isnan(made.embeddings[[0, 2]]).all()
    assert np.array_equal(made.embeddings[1], vector)
    assert list(made.categories["answer"]) == ["a", "b", None]


def test_what_no_row_has_is_not_listed() -> None:
    made = sample({"answer": "a"}, {"answer": "b", "confidence": 0.5})
    assert made.embeddings is None
    assert set(made.numbers) == {"confidence"}
    assert np.isnan(made.numbers["confidence"][0])


def test_strangeness_is_there_where_distance_and_confidence_are() -> None:
    made = sample({"novelty": 0.4, "confidence": 0.5}, {"novelty": 0.4, "confidence": 1.0}, {"confidence": 0.9})
    strange = made.numbers["strangeness"]
    assert np.isclose(strange[0], 2 * strange[1]) and np.isnan(strange[2])
    assert "strangeness" not in sample({"novelty": 0.4}).numbers
