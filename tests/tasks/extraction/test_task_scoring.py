"""Outcomes of extractions: the counts that field F1 is made of, for answers as models give them."""

from __future__ import annotations

import json

import pytest
from project import ROOT

from tailtune.config.paths import Paths
from tailtune.core.records import Answer, Row
from tailtune.tasks.classification import scoring
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.use_case import load_use_case

CASE = load_use_case(Paths(ROOT), "insurance-claims")
TASK = CASE.task
LABEL = Annotation({"peril": "hail", "vehicle_make": "Volvo", "witnesses": ["Ada", "Ben"]}).encode()
ROW = Row("1", "a text", LABEL, "claims.jsonl:1")


def test_values_are_counted_and_make_field_f1() -> None:
    codec = TASK.codec(CASE)
    shown = json.loads(codec.shown(LABEL))
    replies = [
        shown,  # four values right
        {**shown, "peril": "fire", "vehicle_make": None, "drivable": True, "witnesses": ["Ada"]},
        None,
    ]
    answers = [codec.read("" if one is None else json.dumps(one), ROW.text).answer for one in replies]
    score = TASK.score(CASE, [ROW] * 3, answers, resamples=10)
    outcomes = TASK.outcomes(score)
    assert outcomes.tolist() == [[4, 0, 0], [1, 2, 3], [0, 0, 4]]
    right, wrong, missed = outcomes.sum(axis=0)
    assert score.metrics["field_f1"].value == pytest.approx(2 * right / (2 * right + wrong + missed))
    assert score.invalid_rows == 1
    assert TASK.most_items(CASE) == 45


def test_a_score_of_another_task_is_refused() -> None:
    other = scoring.score(["a", "b"], [Answer("a", 0.5), Answer("b", 0.5)], 10, 2)
    with pytest.raises(TypeError, match="expected the score of extractions"):
        TASK.outcomes(other)
