"""Floors beside the target: what misses one neither stays, wins, nor is promoted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from judge.evidence import against, cost_inputs, evidence, product_targets, rung
from tailtune.core.records import Answer
from tailtune.core.reports import CandidateResult, Guard, RungResult
from tailtune.judge.constraints import servable, shortcomings, stays
from tailtune.judge.final import OnTest, winner
from tailtune.judge.guards import (
    by_default,
    doubted,
    even_macro_f1,
    imbalance,
    missed,
    refusal,
    surely_misses,
    worst_doubt,
)
from tailtune.judge.shares import share_of
from tailtune.judge.verdict import verdict
from tailtune.tasks.classification.scoring import score

FRAUD = Guard(metric="recall/fraud", floor=0.8)
ROWS = {"fine": 9900, "fraud": 100}


def measured(caught: int, alarms: int, name: str = "probe") -> RungResult:
    """A rung on 1,980 good rows and 20 frauds of which it catches some, with some false alarms."""
    expected = ["fine"] * 1980 + ["fraud"] * 20
    answered = ["fraud"] * alarms + ["fine"] * (1980 - alarms) + ["fraud"] * caught + ["fine"] * (20 - caught)
    scored = score(expected, [Answer(value, 1.0) for value in answered], recall=("fraud",), f1=("fraud",))
    return rung(name, 0.5).model_copy(update={"metrics": scored.metrics})


def on_test(result: RungResult) -> CandidateResult:
    return CandidateResult(name=result.name, title=result.title, metrics=result.metrics, ece=0.1, latency=None)


def targets(*guards: Guard) -> Any:
    return replace(product_targets(0.98, min_train_rows=0), guards=guards)


BLIND, SHARP = measured(4, 0), measured(18, 5)


def test_accuracy_does_not_see_that_fraud_is_missed() -> None:
    assert BLIND.quality.value == pytest.approx(0.992)
    assert BLIND.metrics["recall/fraud"].value == pytest.approx(0.2)
    assert BLIND.metrics["recall/fraud"] == share_of(4, 20)
    assert stays(BLIND, targets(), None)


def test_a_rung_below_a_floor_does_not_stay() -> None:
    strict = targets(FRAUD)
    assert not servable(BLIND, strict)
    assert servable(SHARP, strict) and stays(SHARP, strict, None)
    outcome = verdict(evidence(BLIND), strict, 5.0)
    assert outcome.verdict == "fine-tune"
    assert "its recall of fraud is 20.0 % (5.7–43.7) on 20 rows, below the floor 80.0 %" in outcome.reason
    assert verdict(evidence(BLIND), targets(), 5.0).verdict == "stay"


def test_one_that_does_not_miss_it_is_chosen_instead() -> None:
    outcome = verdict(evidence(BLIND, SHARP.model_copy(update={"name": "sharp"})), targets(FRAUD), 5.0)
    assert (outcome.verdict, outcome.best.name) == ("stay", "sharp")


def test_a_fine_tune_below_a_floor_does_not_win() -> None:
    better = against(60, 0, rows=2000)
    facts = OnTest(rung=on_test(rung("probe", 0.9)), fine_tune=on_test(BLIND), comparison=better)
    assert winner(facts, None, targets(), None).yes
    loses = winner(facts, None, targets(FRAUD), None)
    assert not loses.yes and "recall of fraud" in loses.reason


def test_a_first_version_below_a_floor_is_not_promoted() -> None:
    refused = refusal(BLIND, (FRAUD,))
    assert refused is not None and not refused.yes
    assert refused.reason.startswith("not promoted: its recall of fraud is 20.0 %")
    assert refusal(SHARP, (FRAUD,)) is None and refusal(BLIND, ()) is None


def test_what_rows_cannot_show_is_a_doubt() -> None:
    assert missed(SHARP, (FRAUD,)) == doubted(BLIND, (FRAUD,)) == ""
    assert doubted(SHARP, (FRAUD,)) == (
        "its recall of fraud is 90.0 % (68.3–98.8) on 20 rows, not surely at the floor 80.0 %"
    )
    assert "though its recall of fraud is 90.0 %" in verdict(evidence(SHARP), targets(FRAUD), 5.0).reason


def test_of_those_that_stay_the_one_with_least_doubt_is_chosen() -> None:
    blunt, sharp = measured(17, 5, "blunt"), measured(20, 5, "sharp")
    assert worst_doubt(blunt, (FRAUD,)) == pytest.approx(0.8 - 0.621, abs=0.001)
    assert worst_doubt(sharp, (FRAUD,)) == 0.0 == worst_doubt(blunt, ())
    assert verdict(evidence(blunt, sharp), targets(FRAUD), 5.0).best.name == "sharp"
    assert verdict(evidence(blunt, sharp), targets(), 5.0).best.name == "blunt"


def test_what_chance_may_have_kept_below_a_floor_waits_for_rows() -> None:
    near = measured(15, 0)
    assert doubted(near, (FRAUD,)) == ""
    assert missed(near, (FRAUD,)) == ("its recall of fraud is 75.0 % (50.9–91.3) on 20 rows, below the floor 80.0 %")
    outcome = verdict(evidence(near), targets(FRAUD), 5.0)
    assert (outcome.verdict, outcome.cause) == ("not-yet", "rows")
    assert outcome.reason.endswith("within its interval: label more such rows to tell")


def test_a_floor_that_nobody_declared_is_missed_only_clearly() -> None:
    floor = by_default(ROWS, 0.99)
    assert floor is not None
    near = measured(12, 0)
    assert near.metrics["macro_f1"].value > 0.829 - 0.07
    declared = floor.model_copy(update={"why": ""})
    below = near.model_copy(update={"metrics": near.metrics | {"macro_f1": share_of(82, 100)}})
    assert missed(below, (floor,)) == "" and "may" not in doubted(below, (declared,))
    assert missed(below, (declared,)) and not surely_misses(below, declared)


def test_what_was_not_measured_is_a_doubt() -> None:
    strange = Guard(metric="recall/theft", floor=0.5)
    assert missed(BLIND, (strange,)) == ""
    assert doubted(BLIND, (strange,)) == "recall of theft was not measured, and has the floor 50.0 %"


def test_one_wrong_row_that_must_not_fail_is_one_too_many() -> None:
    rule = Guard(metric="must_not_fail", floor=1.0)
    for right, words in ((8, ""), (7, "it answers 1 of the 8 rows that must not fail wrongly")):
        found = BLIND.model_copy(update={"metrics": BLIND.metrics | {"must_not_fail": share_of(right, 8)}})
        assert missed(found, (rule,)) == words
        assert doubted(found, (rule,)) == ""


def test_every_floor_that_is_missed_is_named() -> None:
    strict = targets(FRAUD, Guard(metric="f1/fraud", floor=0.7))
    words = shortcomings(BLIND, strict)
    assert "its recall of fraud" in words and " and its F1 of fraud is 33.3 %" in words


@pytest.mark.parametrize(
    ("rows", "ratio"), [({"a": 5, "b": 50}, 10), ({"a": 5, "b": 0, "c": 6}, 1.2), ({"a": 5}, 1), ({}, 1)]
)
def test_imbalance_is_most_over_fewest(rows: dict[str, int], ratio: float) -> None:
    assert imbalance(rows) == pytest.approx(ratio)


def test_macro_f1_joins_the_target_where_labels_are_uneven() -> None:
    assert by_default({"a": 99, "b": 10}, 0.95) is None
    floor = by_default(ROWS, 0.99)
    assert floor is not None and (floor.metric, floor.floor) == ("macro_f1", 0.829)
    assert floor.why == (
        "the most frequent label has 99 times the rows of the rarest, so accuracy alone would not show that rare ones "
        "fail: 82.9 % is the macro F1 of errors that fall on all rows alike at the target 99.0 % (targets.macro_f1 "
        "sets another floor, 0 none)"
    )
    assert missed(BLIND, (floor,)).startswith("its macro F1 is 66.5 %")
    assert missed(measured(20, 1), (floor,)) == ""


@pytest.mark.parametrize("rows", [(990, 10), (366, 60, 15, 10, 8, 2), (50,) * 20])
def test_the_floor_is_what_even_errors_give(rows: tuple[int, ...]) -> None:
    """Simulated: every row is right with the same probability, wrong answers by how frequent labels are."""
    random, truth = np.random.default_rng(5), np.repeat(np.arange(len(rows)), np.array(rows) * 20)
    frequent = np.array(rows) / sum(rows)
    answers = truth.copy()
    for place in np.flatnonzero(random.random(truth.size) < 0.1):
        others = np.where(np.arange(len(rows)) == truth[place], 0, frequent)
        answers[place] = random.choice(len(rows), p=others / others.sum())
    assert even_macro_f1(rows, 0.9) == pytest.approx(f1_score(truth, answers, average="macro"), abs=0.02)


def test_an_even_label_set_leaves_the_target_as_it_is() -> None:
    assert even_macro_f1([50] * 77, 0.95) == pytest.approx(0.95)


def test_dollars_do_not_make_up_for_a_floor() -> None:
    outcome = verdict(evidence(BLIND, worth=cost_inputs(error_usd=0.0001)), targets(FRAUD), 5.0)
    assert outcome.verdict != "stay" or "nothing pays" in outcome.reason
    assert outcome.verdict == "not-yet" or "recall of fraud" in outcome.reason


def test_a_floor_of_one_row_is_said_of_one_row() -> None:
    metrics = {"accuracy": share_of(9, 10), "recall/fraud": share_of(0, 1), "must_not_fail": share_of(0, 1)}
    found = rung("probe", 0.9).model_copy(update={"metrics": metrics})
    words = missed(found, [Guard(metric="recall/fraud", floor=0.8), Guard(metric="must_not_fail", floor=1)])
    assert "on 1 row, below" in words and "1 of the 1 row that" in words
