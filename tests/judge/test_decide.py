"""Every branch of the gates, with the reason that is told."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import curve, evidence, rung
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import Paired
from tailtune.judge.decide import (
    choose_winner,
    fast_enough,
    last_doubling_gain,
    may_train,
    meets_with_head_room,
    needed,
    pct,
    verdict,
)
from tailtune.judge.stats import paired
from tailtune.spec.classification import ClassificationTargets
from tailtune.spec.model import TrainSpec

TARGETS = ClassificationTargets(accuracy=0.94, head_room=1.5, min_effect=0.005, min_train_rows=5000)
TRAIN = TrainSpec(max_cost_usd=Decimal("4.00"))


def test_head_room_divides_the_allowed_error() -> None:
    assert needed(TARGETS) == pytest.approx(0.96)
    assert needed(ClassificationTargets(accuracy=0.94, head_room=1)) == pytest.approx(0.94)


@pytest.mark.parametrize(
    ("value", "low", "meets"), [(0.96, 0.94, True), (0.959, 0.95, False), (0.97, 0.939, False), (0.99, 0.98, True)]
)
def test_head_room_wants_the_value_and_the_low_end(value: float, low: float, meets: bool) -> None:
    assert meets_with_head_room(Estimate(value=value, low=low, high=1, rows=9), TARGETS) is meets


def test_the_cheapest_rung_that_does_is_kept_not_the_best() -> None:
    found = verdict(evidence(rung("tfidf", 0.93), rung("probe", 0.965), rung("retrieval", 0.99)), TARGETS, TRAIN)
    assert (found.verdict, found.best.name) == ("stay", "probe")
    assert found.reason == ("Probe reaches 96.5 % (95.5–97.5): at or above 96.0%, the target 94.0% with head-room 1.5")


def test_a_rung_that_is_too_slow_is_passed_over() -> None:
    targets = TARGETS.model_copy(update={"p99_ms": 10.0})
    found = verdict(evidence(rung("probe", 0.97, p99_ms=11), rung("retrieval", 0.97, p99_ms=10)), targets, TRAIN)
    assert (found.verdict, found.best.name) == ("stay", "retrieval")
    assert fast_enough(rung("probe", 0.5, p99_ms=1e9), TARGETS)


def test_the_best_rung_is_the_best_of_those_that_are_fast_enough() -> None:
    targets = TARGETS.model_copy(update={"p99_ms": 10.0})
    found = verdict(evidence(rung("tfidf", 0.85, p99_ms=2), rung("probe", 0.93, p99_ms=11)), targets, TRAIN)
    assert (found.verdict, found.best.name) == ("fine-tune", "tfidf")
    assert found.reason.startswith("Tfidf reaches 85.0 %")


def test_when_no_rung_is_fast_enough_the_reason_says_so_and_not_that_accuracy_is_short() -> None:
    targets = TARGETS.model_copy(update={"p99_ms": 10.0})
    found = verdict(evidence(rung("tfidf", 0.9, p99_ms=20), rung("probe", 0.99, p99_ms=25.44)), targets, TRAIN)
    assert (found.verdict, found.best.name) == ("fine-tune", "probe")
    assert found.reason.startswith("no rung meets the latency target p99 10 ms; Probe reaches 99.0 % (98.0–100.0)")
    assert "short of" not in found.reason
    assert found.would_change[0].startswith("a target accuracy of 98.0% or less with a latency target of 25.4 ms")


def test_few_labels_and_a_climbing_curve_say_label_first() -> None:
    found = verdict(evidence(rung("probe", 0.9), train_rows=4999, gain=0.03), TARGETS, TRAIN)
    assert found.verdict == "not-yet"
    assert found.reason == (
        "Probe reaches 90.0 % (89.0–91.0), short of 96.0% (target 94.0% with head-room); 4,999 good labels are fewer "
        "than 5,000, and the last doubling of labels still gained +3.0 points: label more rows first"
    )


@pytest.mark.parametrize(("rows", "gain"), [(5000, 0.03), (4999, 0.005), (4999, -0.02)])
def test_enough_labels_or_a_flat_curve_do_not_hold_training_back(rows: int, gain: float) -> None:
    assert verdict(evidence(rung("probe", 0.9), train_rows=rows, gain=gain), TARGETS, TRAIN).verdict == "fine-tune"


def test_too_dear_is_not_yet() -> None:
    found = verdict(evidence(rung("probe", 0.9), usd=4.01), TARGETS, TRAIN)
    assert found.verdict == "not-yet"
    assert found.reason.endswith("training is estimated at $4.01, over train.max_cost_usd $4.00")
    assert verdict(evidence(rung("probe", 0.9), usd=4.0), TARGETS, TRAIN).verdict == "fine-tune"


def test_labels_are_asked_for_before_money() -> None:
    found = verdict(evidence(rung("probe", 0.9), train_rows=100, gain=0.1, usd=99), TARGETS, TRAIN)
    assert "label more rows first" in found.reason


def test_a_fine_tune_can_pay_at_a_known_price_and_at_none() -> None:
    known = verdict(evidence(rung("probe", 0.9), usd=0.0213), TARGETS, TRAIN)
    assert known.verdict == "fine-tune"
    assert known.reason.endswith("8,000 good labels can train an adapter for about $0.0213")
    unknown = verdict(evidence(rung("probe", 0.9), usd=None), TARGETS, TRAIN)
    assert unknown.verdict == "fine-tune"
    assert unknown.reason.endswith("at no declared price")


def test_a_wide_interval_is_named_as_the_reason() -> None:
    found = verdict(evidence(rung("probe", 0.97, low=0.91)), TARGETS, TRAIN)
    assert found.verdict == "fine-tune"
    assert "reaches 97.0 % (91.0–98.0), but the low end of its interval is short of the target 94.0%" in found.reason


def test_what_was_not_measured_would_change_the_verdict() -> None:
    found = verdict(evidence(rung("probe", 0.9), unmeasured=["prompted models"]), TARGETS, TRAIN)
    assert found.would_change == ("a target accuracy of 85.0% or less: Probe would do", "measuring prompted models")


@given(st.floats(0.02, 0.999), st.floats(0, 0.3), st.floats(1, 5))
def test_the_target_that_is_said_to_do_does(value: float, wide: float, head_room: float) -> None:
    shown = evidence(rung("probe", value, low=max(0.0, value - wide)))
    targets = ClassificationTargets(accuracy=0.99999, head_room=head_room)
    told = verdict(shown, targets, TRAIN).would_change[0]
    enough = float(re.findall(r"of ([\d.]+)%", told)[0]) / 100 - 1e-9
    if enough > 0:
        assert verdict(shown, ClassificationTargets(accuracy=enough, head_room=head_room), TRAIN).verdict == "stay"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.5, 0.99), st.floats(1, 3))
def test_a_lower_target_never_turns_stay_away(values: list[float], accuracy: float, head_room: float) -> None:
    shown = evidence(*(rung(f"r{i}", value, low=value) for i, value in enumerate(values)))
    strict = verdict(shown, ClassificationTargets(accuracy=accuracy, head_room=head_room), TRAIN)
    loose = verdict(shown, ClassificationTargets(accuracy=accuracy / 2, head_room=head_room), TRAIN)
    assert strict.reason
    if strict.verdict == "stay":
        assert loose.verdict == "stay"
    else:
        assert strict.best.quality.value == max(values)


def test_a_gain_is_scaled_to_a_doubling() -> None:
    assert last_doubling_gain(curve((100, 0.5), (200, 0.6))) == pytest.approx(0.1)
    assert last_doubling_gain(curve((9, 0.1), (100, 0.5), (400, 0.6))) == pytest.approx(0.05)
    assert last_doubling_gain(curve((100, 0.6), (200, 0.5))) == pytest.approx(-0.1)


@pytest.mark.parametrize("points", [(), ((100, 0.5),), ((2, 0.5), (2, 0.6))])
def test_a_curve_without_a_step_has_no_gain(points: tuple[tuple[int, float], ...]) -> None:
    assert last_doubling_gain(curve(*points)) is None


def test_the_spec_overrules_the_verdict() -> None:
    stay = verdict(evidence(rung("probe", 0.99)), TARGETS, TRAIN)
    tune = verdict(evidence(rung("probe", 0.9)), TARGETS, TRAIN)
    later = verdict(evidence(rung("probe", 0.9), usd=9), TARGETS, TRAIN)
    always, never = TrainSpec(when="always"), TrainSpec(when="never")
    assert may_train(stay, always) == Decision(yes=True, reason="train.when is always (the verdict alone was stay)")
    assert may_train(tune, never) == Decision(yes=False, reason="train.when is never (the verdict alone was fine-tune)")
    assert [may_train(found, TRAIN).yes for found in (stay, tune, later)] == [False, True, False]
    assert may_train(tune, TRAIN).reason == tune.reason


def gap(value: float, low: float, high: float) -> Paired:
    difference = Estimate(value=value, low=low, high=high, rows=3080)
    return Paired(
        first="lora", second="probe", difference=difference, only_first_right=9, only_second_right=1, mcnemar_p=0.0215
    )


def test_nothing_trained_leaves_the_rung() -> None:
    assert choose_winner(None, "Probe", None, 10) == Decision(yes=False, reason="nothing was trained; Probe answers")


def test_a_clear_gain_wins_and_says_by_how_much() -> None:
    found = choose_winner(gap(0.0123, 0.004, 0.021), "Probe", 4.0, 5.0)
    assert found.yes
    assert found.reason == "the fine-tune beats Probe by +1.2 points (+0.4 to +2.1), McNemar p = 0.021"


@pytest.mark.parametrize("low", [0.0, -0.001])
def test_ties_stay_with_the_cheaper_one(low: float) -> None:
    found = choose_winner(gap(0.01, low, 0.02), "Probe", 4.0, None)
    assert not found.yes
    assert found.reason.startswith("the fine-tune is not clearly better than Probe: +1.0 points")


def test_a_winner_must_keep_the_latency_target() -> None:
    found = choose_winner(gap(0.01, 0.005, 0.02), "Probe", 10.01, 10.0)
    assert not found.yes
    assert found.reason.endswith(
        "is better (+1.0 points (+0.5 to +2.0), McNemar p = 0.021) but its p99 10.01 ms misses 10 ms"
    )
    assert choose_winner(gap(0.01, 0.005, 0.02), "Probe", 10.0, 10.0).yes
    assert choose_winner(gap(0.01, 0.005, 0.02), "Probe", 1e9, None).yes


def test_an_estimate_is_shown_in_percent() -> None:
    assert pct(Estimate(value=0.931, low=0.922, high=0.939, rows=10)) == "93.1 % (92.2–93.9)"


def test_few_discordant_rows_are_not_a_clear_gain() -> None:
    """4 against 0 of 300: the bootstrap's low end is above 0, the exact test is not convinced."""
    found = paired(np.ones(300, dtype=bool), np.arange(300) >= 4, ("lora", "probe"))
    assert found.difference.low > 0 and found.mcnemar_p > 0.05
    assert not choose_winner(found, "Probe", 4.0, None).yes
