"""Outcomes of extractions: the counts that field F1 is made of, for answers as models give them."""

from __future__ import annotations

import json

import pytest
from project import ROOT

from tailtune.config.paths import Paths
from tailtune.core.records import Row
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.use_case import load_use_case

CASE = load_use_case(Paths(ROOT), "insurance-claims")
TASK = CASE.task
LABEL = Annotation({"peril": "hail", "vehicle_make": "Volvo", "witnesses": ["Ada", "Ben"]})
ROW = Row("1", "a text", LABEL, "claims.jsonl:1")


def test_values_are_counted_and_make_field_f1() -> None:
    codec = TASK.codec()
    shown = json.loads(codec.shown(LABEL))
    replies = [
        shown,  # four values right
        {**shown, "peril": "fire", "vehicle_make": None, "drivable": True, "witnesses": ["Ada"]},
        None,
    ]
    answers = [codec.read("" if one is None else json.dumps(one), ROW.text).answer for one in replies]
    score = TASK.score([ROW] * 3, answers)
    outcomes = score.outcomes
    assert outcomes.tolist() == [[4, 0, 0], [1, 2, 3], [0, 0, 4]]
    right, wrong, missed = outcomes.sum(axis=0)
    assert score.metrics["field_f1"].value == pytest.approx(2 * right / (2 * right + wrong + missed))
    assert score.invalid_rows == 1
    assert TASK.most_items() == 45
    assert score.per_row == pytest.approx([1, 2 / 7, 0])


def test_parts_of_an_answer_are_the_fields_that_it_fills() -> None:
    codec = TASK.codec()
    shown = json.loads(codec.shown(LABEL))
    no, yes = (codec.read(json.dumps({**shown, "drivable": each}), ROW.text).answer for each in (False, True))
    assert sorted(TASK.parts(no)) == ["drivable", "peril", "vehicle_make", "witnesses"]
    assert TASK.parts(no)["drivable"] != TASK.parts(yes)["drivable"]
    assert TASK.parts(codec.read("", ROW.text).answer) == {}
