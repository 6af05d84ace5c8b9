"""Rows that show a finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.drift.days import LABELS, counted, sample
from tailtune.core.monitored import Finding, Sample
from tailtune.judge.drift import Reference, examples, look


def finding(rows: Sample, reference: Reference, measure: str, part: str | None = None) -> Finding:
    days = counted(reference, [rows] * 3)
    return next(
        each for each in look(reference, days).findings if each.measure == measure and part in (None, each.part)
    )


@pytest.fixture(name="world")
def _world() -> tuple[Reference, Sample]:
    """Of 200 rows the first twenty are of another make."""
    random = np.random.default_rng(1)
    reference, usual, strange = (sample(random, rows) for rows in (1000, 180, 20))
    assert usual.embeddings is not None
    off = np.zeros((20, usual.embeddings.shape[1]), dtype=np.float32)
    off[:, 3] = 1
    return Reference.of(reference), Sample(
        200,
        {"length": np.concatenate([strange.numbers["length"] + 40, usual.numbers["length"]])},
        {"answer": [*[None] * 10, *["new"] * 10, *usual.categories["answer"]]},
        np.concatenate([off, usual.embeddings]),
    )


def test_of_a_number_they_are_the_most_extreme(world: tuple[Reference, Sample]) -> None:
    reference, rows = world
    places = examples(reference, rows, finding(rows, reference, "length"), most=20)
    assert set(places) == set(range(20))


def test_of_answers_they_have_the_answer(world: tuple[Reference, Sample]) -> None:
    reference, rows = world
    assert examples(reference, rows, finding(rows, reference, "answer", "no answer")) == tuple(range(10))
    assert examples(reference, rows, finding(rows, reference, "answer", "not in the reference")) == tuple(range(10, 20))
    of_one = examples(reference, rows, finding(rows, reference, "answer", LABELS[4]), most=3)
    assert {rows.categories["answer"][place] for place in of_one} == {LABELS[4]}
    grown = examples(reference, rows, finding(rows, reference, "answer", ""), most=20)
    assert {rows.categories["answer"][place] for place in grown} == {None, "new"}


def test_of_the_embedding_they_look_like_the_window(world: tuple[Reference, Sample]) -> None:
    reference, rows = world
    places = examples(reference, rows, finding(rows, reference, "embedding", ""), most=20)
    assert len(set(places) & set(range(20))) >= 15
    cluster = next(each for each in look(reference, counted(reference, [rows])).findings if "cluster" in each.part)
    assert len(examples(reference, rows, cluster, most=5)) == 5


def test_without_the_measure_there_are_none(world: tuple[Reference, Sample]) -> None:
    reference, rows = world
    bare = replace(rows, numbers={}, embeddings=None, categories={})
    for measure in ("length", "embedding", "answer"):
        assert examples(reference, bare, finding(rows, reference, measure)) == ()
