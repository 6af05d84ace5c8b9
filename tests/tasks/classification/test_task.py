"""What a classification tells the stages that prompt: its codec, and outcomes whose micro F1 is accuracy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from project import ROOT

from tailtune.config.paths import Paths
from tailtune.core.records import Answer, Row
from tailtune.tasks.base import KnownRow
from tailtune.tasks.use_case import load_use_case


def test_outcomes_add_up_to_accuracy() -> None:
    case = load_use_case(Paths(ROOT), "support-tickets")
    task = case.task
    lines = ["app_slow", "app_slow", "tax_question", None]
    rows = [
        Row(str(i), "a", label, f"f:{i}")
        for i, label in enumerate(["app_slow", "invoice_copy", "tax_question", "app_slow"])
    ]
    score = task.score(rows, [Answer(value, 0.5) for value in lines])
    outcomes = score.outcomes
    assert outcomes.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]]
    right, wrong, missed = outcomes.sum(axis=0)
    assert 2 * right / (2 * right + wrong + missed) == score.metrics["accuracy"].value == 0.5
    assert outcomes.dtype == np.int64
    assert score.per_row.tolist() == [1, 0, 1, 0]
    assert outcomes.sum(axis=1).max() <= 2 * task.most_items()


def test_the_codec_knows_labels_and_descriptions() -> None:
    case = load_use_case(Paths(ROOT), "support-tickets")
    codec = case.task.codec()
    assert [one["name"] for one in codec.variables()["labels"]] == list(case.answers.names)
    assert codec.read('{"label": "app_slow"}', "").answer.value == "app_slow"
    assert codec.keys("app_slow") == ("app_slow",)


def test_the_accuracy_of_rows_without_labels_is_expected_from_their_probabilities() -> None:
    task = load_use_case(Paths(ROOT), "support-tickets").task
    sure, unsure = (("app_slow", 0.9), ("tax_question", 0.1)), (("tax_question", 0.6), ("app_slow", 0.4))
    labels = ["app_slow"] * 90 + ["tax_question"] * 10 + ["tax_question"] * 60 + ["app_slow"] * 40
    known = [
        KnownRow(likeliest, label, float(likeliest[0][0] == label))
        for likeliest, label in zip([sure] * 100 + [unsure] * 100, labels, strict=True)
    ]
    found = task.expected_accuracy(known, [sure, unsure, ()] * 60)
    assert found.accuracy is not None
    assert abs(found.accuracy.value - 0.75) < 0.05
    assert found.without == 60
    assert "no rows" in task.expected_accuracy(known, []).reason


@pytest.mark.parametrize(("confidence", "written"), [(0.123456, 0.1235), (math.nan, None)])
def test_a_line_of_failures_is_json_whether_or_not_there_is_a_probability(
    confidence: float, written: float | None
) -> None:
    task = load_use_case(Paths(ROOT), "support-tickets").task
    line = task.failure(Row("1", "a", "app_slow", "f:1"), Answer("tax_question", confidence), {})
    assert json.loads(json.dumps(line, allow_nan=False))["confidence"] == written
