"""Every branch of the gates, with the reason that is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.evidence import cost_inputs, evidence, noise, product_targets, prompted, rung
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import DiagnoseReport, FailureClass, Guard, PromptedRung, RungResult, Verdict
from tailtune.judge.economics import Cadence, CostInputs
from tailtune.judge.shares import share_of
from tailtune.judge.verdict import Outcome, may_train, verdict
from tailtune.judge.would_change import seldom_line, turning_points

TARGETS = product_targets(0.94, head_room=1.5, min_effect=0.005, min_train_rows=5000)
MAX_USD = 4.0


def test_the_cheapest_rung_that_does_is_kept_not_the_best() -> None:
    found = verdict(evidence(rung("tfidf", 0.93), rung("probe", 0.965), rung("retrieval", 0.99)), TARGETS, MAX_USD)
    assert (found.verdict, found.best.name) == ("stay", "probe")
    assert found.reason == (
        "Probe reaches 96.5 % (95.5–97.5): at or above 96.0 %, the target 94.0 % with head-room 1.5"
    )


def test_a_rung_that_is_too_slow_is_passed_over() -> None:
    targets = replace(TARGETS, p99_ms=10.0)
    found = verdict(evidence(rung("probe", 0.97, p99_ms=11), rung("retrieval", 0.97, p99_ms=10)), targets, MAX_USD)
    assert (found.verdict, found.best.name) == ("stay", "retrieval")


def test_the_best_rung_is_the_best_of_those_that_are_fast_enough() -> None:
    targets = replace(TARGETS, p99_ms=10.0)
    found = verdict(evidence(rung("tfidf", 0.85, p99_ms=2), rung("probe", 0.93, p99_ms=11)), targets, MAX_USD)
    assert (found.verdict, found.best.name) == ("fine-tune", "tfidf")
    assert found.reason.startswith("Tfidf reaches 85.0 %")


def test_when_no_rung_is_fast_enough_the_reason_says_so_and_not_that_accuracy_is_short() -> None:
    targets = replace(TARGETS, p99_ms=10.0)
    found = verdict(evidence(rung("tfidf", 0.9, p99_ms=20), rung("probe", 0.99, p99_ms=25.44)), targets, MAX_USD)
    assert (found.verdict, found.best.name) == ("fine-tune", "probe")
    assert found.reason.startswith("no rung meets the latency target p99 10 ms; Probe reaches 99.0 % (98.0–100.0)")
    assert "short of" not in found.reason
    assert found.would_change[0].startswith("a target accuracy of 98.0 % or less with a latency target of 25.5 ms")


@pytest.mark.parametrize("right", [1000, 999])
def test_a_fine_tune_beside_a_prompt_without_an_error_is_charged_for_its_own(right: int) -> None:
    perfect = prompted(1.0, usd_per_1000=5.0).model_copy(update={"metrics": {"accuracy": share_of(right, 1000)}})
    inputs = cost_inputs(per_day=20_000, error_usd=0.5)
    found = verdict(evidence(perfect, worth=inputs), TARGETS, MAX_USD)
    assert found.verdict == "stay"
    assert found.economics is not None and found.economics.net_value is not None
    assert found.economics.net_value.value < -100_000


def test_a_fast_rung_that_misses_something_else_still_meets_the_latency_target() -> None:
    targets = replace(TARGETS, p99_ms=10.0, validity=0.99)
    rungs = rung("fast", 0.9, p99_ms=5, invalid_rows=50), rung("slow", 0.99, p99_ms=20)
    found = verdict(evidence(*rungs), targets, MAX_USD)
    assert found.reason.startswith("Slow reaches 99.0 % (98.0–100.0), but its p99 20.00 ms misses 10 ms;")


@pytest.mark.parametrize(("wrong", "is_named"), [(0.03, True), (0.0005, False)])
def test_labels_that_look_wrong_are_reviewed_before_many_rows_are_labelled(wrong: float, is_named: bool) -> None:
    probe = rung("probe", 0.95).model_copy(update={"metrics": {"accuracy": share_of(952, 1000)}})
    shown = replace(evidence(probe), labels=noise(wrong, wrong / 2, wrong * 2))
    found = verdict(shown, TARGETS, MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "rows")
    assert "1,000 dev rows show Probe to ± " in found.reason and " would, so label more rows" in found.reason
    assert ("review the 50 dev labels that look wrong first (tailtune labels)" in found.reason) == is_named


def test_few_labels_and_a_climbing_curve_say_label_first() -> None:
    found = verdict(evidence(rung("probe", 0.9), train_rows=4999, gain=0.03), TARGETS, MAX_USD)
    assert found.verdict == "not-yet"
    assert found.reason == (
        "Probe reaches 90.0 % (89.0–91.0), short of 96.0 % (target 94.0 % with head-room); 4,999 good labels are fewer "
        "than 5,000, and the last doubling of labels still gained +3.0 points: label more rows first"
    )


@pytest.mark.parametrize(("rows", "gain"), [(5000, 0.03), (4999, 0.005), (4999, -0.02)])
def test_enough_labels_or_a_flat_curve_do_not_hold_training_back(rows: int, gain: float) -> None:
    assert verdict(evidence(rung("probe", 0.9), train_rows=rows, gain=gain), TARGETS, MAX_USD).verdict == "fine-tune"


def test_too_dear_is_not_yet() -> None:
    found = verdict(evidence(rung("probe", 0.9), usd=4.01), TARGETS, MAX_USD)
    assert found.verdict == "not-yet"
    assert found.reason.endswith("training is estimated at $4.01, over train.max_cost_usd $4")
    assert verdict(evidence(rung("probe", 0.9), usd=4.0), TARGETS, MAX_USD).verdict == "fine-tune"


def test_labels_are_asked_for_before_money() -> None:
    found = verdict(evidence(rung("probe", 0.9), train_rows=100, gain=0.1, usd=99), TARGETS, MAX_USD)
    assert "label more rows first" in found.reason


def test_a_fine_tune_can_pay_at_a_known_price_and_at_none() -> None:
    known = verdict(evidence(rung("probe", 0.9), usd=0.0213), TARGETS, MAX_USD)
    assert known.verdict == "fine-tune"
    assert known.reason.endswith("8,000 good labels can train an adapter for about $0.021")
    unknown = verdict(evidence(rung("probe", 0.9), usd=None), TARGETS, MAX_USD)
    assert unknown.verdict == "fine-tune"
    assert unknown.reason.endswith("at no declared price")


def test_a_wide_interval_is_named_as_the_reason() -> None:
    found = verdict(evidence(rung("probe", 0.97, low=0.91)), TARGETS, MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "rows")
    assert "reaches 97.0 % (91.0–98.0), but the low end of its interval is short of the target 94.0 %" in found.reason
    assert "1,000 dev rows show Probe to ± 3.5 points and cannot tell" in found.reason


def test_what_was_not_measured_would_change_the_verdict() -> None:
    found = verdict(evidence(rung("probe", 0.9), unmeasured=["prompted models"]), TARGETS, MAX_USD)
    assert found.would_change == ("a target accuracy of 85.0 % or less: Probe would do", "measuring prompted models")


@given(st.floats(0.02, 0.999), st.floats(0, 0.3), st.floats(1, 5))
def test_the_target_that_is_said_to_do_does(value: float, wide: float, head_room: float) -> None:
    shown = evidence(rung("probe", value, low=max(0.0, value - wide)))
    targets = product_targets(0.99999, head_room=head_room)
    text = verdict(shown, targets, MAX_USD).would_change[0]
    enough = float(re.findall(r"of ([\d.]+) %", text)[0]) / 100 - 1e-9
    if enough > 0:
        assert verdict(shown, product_targets(enough, head_room=head_room), MAX_USD).verdict == "stay"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.5, 0.99), st.floats(1, 3))
def test_a_lower_target_never_turns_stay_away(values: list[float], accuracy: float, head_room: float) -> None:
    shown = evidence(*(rung(f"r{i}", value, low=value) for i, value in enumerate(values)))
    strict = verdict(shown, product_targets(accuracy, head_room=head_room), MAX_USD)
    loose = verdict(shown, product_targets(accuracy / 2, head_room=head_room), MAX_USD)
    assert strict.reason
    if strict.verdict == "stay":
        assert loose.verdict == "stay"
    else:
        assert strict.best.quality.value == max(values)


def test_the_spec_overrules_the_verdict() -> None:
    stay = verdict(evidence(rung("probe", 0.99)), TARGETS, MAX_USD)
    tune = verdict(evidence(rung("probe", 0.9)), TARGETS, MAX_USD)
    later = verdict(evidence(rung("probe", 0.9), usd=9), TARGETS, MAX_USD)
    always, never = "always", "never"
    assert may_train(stay, always) == Decision(yes=True, reason="train.when is always (the verdict alone was stay)")
    assert may_train(tune, never) == Decision(yes=False, reason="train.when is never (the verdict alone was fine-tune)")
    assert [may_train(found, "auto").yes for found in (stay, tune, later)] == [False, True, False]
    assert may_train(tune, "auto").reason == tune.reason


def dear(per_1000: float = 3.0, value: float = 0.97, low: float = 0.95) -> PromptedRung:
    return prompted(value, usd_per_1000=per_1000, low=low)


def test_a_prompt_that_stays_stays_where_nothing_is_known_in_dollars() -> None:
    for worth in (None, cost_inputs(error_usd=None), cost_inputs(cadence_days=None)):
        found = verdict(evidence(rung("probe", 0.9), dear(), worth=worth), TARGETS, MAX_USD)
        assert (found.verdict, found.best.name) == ("stay", "lm_retrieval")
        assert (found.economics is None) == (worth is None)
        if found.economics is not None:
            assert found.economics.net_value is None and len(found.economics.unknown) == 1


def test_a_dear_prompt_is_replaced_where_a_fine_tune_at_the_target_pays() -> None:
    shown = evidence(rung("probe", 0.9), dear(), worth=cost_inputs(10_000, error_usd=0.02))
    found = verdict(shown, TARGETS, MAX_USD)
    assert (found.verdict, found.best.name) == ("fine-tune", "lm_retrieval")
    # 3,652,500 requests × ($0.003 − 0.03 × $0.02) − (serving 700.80 + changes 641.26 − 304.38 + training)
    assert found.economics is not None and found.economics.net_value is not None
    expected = 3_652_500 * (0.003 - 0.0006) - (700.8 + 365.25 / 90 * (150 + 8.02 - 75) + 0.02)
    assert found.economics.net_value.value == pytest.approx(expected)
    assert "would be worth $7,728 more over 12 months" in found.reason
    assert found.economics.candidates[-1].quality is None


def test_a_rung_that_may_do_is_not_waited_for_where_a_fine_tune_would_replace_it_anyway() -> None:
    may_do = prompted(0.97, usd_per_1000=9.0, low=0.93, name="lm_strong", title="Strong model")
    for rungs in ((rung("probe", 0.9), may_do), (rung("probe", 0.9), dear(), may_do)):
        found = verdict(evidence(*rungs, worth=cost_inputs(10_000, error_usd=0.02)), TARGETS, MAX_USD)
        assert found.verdict == "fine-tune"
        # at one request a day no fine-tune replaces it, so it matters again whether it does
        rare = verdict(evidence(*rungs, worth=cost_inputs(1, error_usd=0.02)), TARGETS, MAX_USD)
        assert rare.verdict == "stay"
    unknown = verdict(evidence(rung("probe", 0.9), may_do), TARGETS, MAX_USD)
    assert (unknown.verdict, unknown.cause) == ("not-yet", "rows")


def test_a_dear_rung_does_not_stay_while_a_cheaper_one_may_do() -> None:
    cheap = rung("probe", 0.965, low=0.92)
    found = verdict(evidence(cheap, dear(), worth=cost_inputs(10_000, error_usd=0.02)), TARGETS, MAX_USD)
    assert (found.verdict, found.best.name, found.cause) == ("not-yet", "lm_retrieval", "rows")
    assert "would be worth $7,728 more over 12 months, errors counted, unless a cheaper rung does; " in found.reason
    assert "dev rows show Probe to ± " in found.reason
    forbidden = evidence(cheap, dear(), worth=cost_inputs(10_000, error_usd=0.02), usd=4.01)
    assert verdict(forbidden, TARGETS, MAX_USD).verdict == "stay"


def test_who_has_head_room_stands_above_the_floor_of_macro_f1_too() -> None:
    assumed = Guard(metric="macro_f1", floor=0.9, why="labels are uneven")
    targets = replace(TARGETS, guards=(assumed,))

    def outcome(macro: float) -> Outcome:
        uneven = rung("probe", 0.97)
        known = {"accuracy": uneven.quality, "macro_f1": Estimate(value=macro, low=macro - 0.1, high=0.99, rows=1000)}
        return verdict(evidence(uneven.model_copy(update={"metrics": known})), targets, MAX_USD)

    assert outcome(0.91).verdict == "stay"
    doubt = outcome(0.89)
    assert (doubt.verdict, doubt.cause) == ("not-yet", "rows")
    assert "not surely at the floor 90.0 %" in doubt.reason
    assert doubt.reason.endswith("label more such rows to tell")


@pytest.mark.parametrize(("alike", "verdict_then"), [(150, "fine-tune"), (151, "not-yet"), (300, "not-yet")])
def test_labels_that_look_alike_are_named_before_a_fine_tune_is(alike: int, verdict_then: Verdict) -> None:
    muddled = rung("probe", 0.7).model_copy(update={"look_alike_rows": alike})
    found = verdict(evidence(muddled), TARGETS, MAX_USD)
    assert found.verdict == verdict_then
    which = "all" if alike == 300 else str(alike)
    if verdict_then == "not-yet":
        assert f"of 300 errors of Probe {which} name a label that looks like the right one" in found.reason
        assert not may_train(found, "auto", 0.01, 0.1).yes


@pytest.mark.parametrize(
    ("changes", "against"),
    [({"train_rows": 4999, "gain": 0.03}, "label"), ({"usd": 4.01}, "money")],
)
def test_a_dear_prompt_that_stays_is_kept_while_training_may_not_be(changes: dict[str, Any], against: str) -> None:
    assert against
    shown = evidence(rung("probe", 0.9), dear(), worth=cost_inputs(), **changes)
    assert verdict(shown, TARGETS, MAX_USD).verdict == "stay"


def test_it_names_the_volume_at_which_the_fine_tune_wins() -> None:
    found = verdict(evidence(rung("probe", 0.9), dear(), worth=cost_inputs(300)), TARGETS, MAX_USD)
    assert found.verdict == "stay"
    (line,) = [one for one in found.would_change if "requests a day" in one]
    volume = float(re.findall(r"at ([\d,]+) requests", line)[0].replace(",", ""))
    assert line == f"at {volume:,.0f} requests a day the fine-tune wins; you have 300"

    def at(per_day: float) -> str:
        return verdict(evidence(rung("probe", 0.9), dear(), worth=cost_inputs(per_day)), TARGETS, MAX_USD).verdict

    assert (at(volume), at(volume * 0.9)) == ("fine-tune", "stay")
    assert found.economics is not None and found.economics.break_even_per_day is not None
    assert volume == pytest.approx(found.economics.break_even_per_day.value, rel=0.1)


def test_of_rungs_that_stay_the_one_of_highest_net_value_does() -> None:
    """Local cores cost 700 dollars a year; 30 requests a day do not, by prompt."""
    rungs = rung("probe", 0.97, low=0.95, fit_rows=8000), dear(0.5, 0.975)
    assert verdict(evidence(*rungs), TARGETS, MAX_USD).best.name == "probe"
    few = verdict(evidence(*rungs, worth=cost_inputs(30)), TARGETS, MAX_USD)
    many = verdict(evidence(*rungs, worth=cost_inputs(30_000)), TARGETS, MAX_USD)
    assert (few.verdict, few.best.name) == ("stay", "lm_retrieval")
    assert (many.verdict, many.best.name) == ("stay", "probe")
    assert few.reason.endswith("of 2 rungs that do, it costs least to own")


def test_a_prompt_that_is_slow_or_unusable_does_not_stay() -> None:
    slow = replace(TARGETS, p99_ms=500.0)
    assert verdict(evidence(rung("probe", 0.9), dear()), slow, MAX_USD).best.name == "probe"
    strict = replace(TARGETS, validity=0.995)
    rude = prompted(0.97, low=0.95, invalid_rows=20)
    found = verdict(evidence(rude), strict, MAX_USD)
    assert (found.verdict, found.best.name) == ("fine-tune", "lm_retrieval")
    assert found.reason.startswith(
        "Retrieval prompt reaches 97.0 % (95.0–98.0), but only 98.0 % of its answers can be used, 99.5 % must be; "
    )
    assert found.would_change[0].endswith("with a validity of 98.0 % or less: Retrieval prompt would do")


def test_nothing_pays_where_errors_are_cheap_and_requests_few() -> None:
    """10 requests a day × 0.03 fewer errors × $0.0002 do not pay for a year's trainings at 2 cents each."""
    shown = evidence(rung("probe", 0.93, fit_rows=8000), worth=cost_inputs(10, error_usd=0.0002))
    found = verdict(shown, TARGETS, MAX_USD)
    assert (found.verdict, found.best.name) == ("stay", "probe")
    assert "short of 96.0 %" in found.reason
    assert "nothing pays: even a fine-tune at 96.0 % would lose $0.079 over 12 months" in found.reason


def test_labels_are_not_asked_for_where_nothing_can_pay() -> None:
    poor = evidence(prompted(0.93, usd_per_1000=0.1), train_rows=100, gain=0.1, worth=cost_inputs(100, error_usd=0.01))
    found = verdict(poor, TARGETS, MAX_USD)
    assert found.verdict == "stay"
    assert "nothing pays: even a fine-tune at 96.0 % would lose $1,0" in found.reason
    volume = float(re.findall(r"it would pay from ([\d,]+) requests a day", found.reason)[0].replace(",", ""))
    assert volume > 100
    rich = evidence(
        prompted(0.93, usd_per_1000=0.1), train_rows=100, gain=0.1, worth=cost_inputs(volume, error_usd=0.01)
    )
    assert "label more rows first" in verdict(rich, TARGETS, MAX_USD).reason


def test_nothing_pays_is_not_said_of_a_rung_that_cannot_be_served() -> None:
    slow = replace(TARGETS, p99_ms=100.0)
    shown = evidence(prompted(0.97, low=0.95), worth=cost_inputs(100, error_usd=0.01))
    assert verdict(shown, slow, MAX_USD).verdict == "fine-tune"


def test_monthly_changes_speak_against_a_fine_tune() -> None:
    often = Cadence(declared_days=14)
    found = verdict(evidence(rung("probe", 0.9), cadence=often), TARGETS, MAX_USD)
    assert found.verdict == "not-yet"
    assert "a change every 14 days is declared: so often, a fine-tune must be trained again and again" in found.reason
    assert verdict(evidence(rung("probe", 0.9), cadence=Cadence(31)), TARGETS, MAX_USD).verdict == "fine-tune"


def test_no_training_is_tried_for_few_labels_where_monthly_changes_forbid_it_anyway() -> None:
    few = evidence(rung("probe", 0.9), train_rows=3000, gain=0.03, usd=0.006, cadence=Cadence(declared_days=14))
    found = verdict(few, TARGETS, MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "other")
    assert "a change every 14 days is declared" in found.reason
    assert not may_train(found, "auto", 0.006, 0.10).yes


def test_a_cadence_that_is_only_seen_forbids_nothing_and_is_named_where_declaring_it_would() -> None:
    seen = Cadence(None, 7)
    found = verdict(evidence(rung("probe", 0.9), cadence=seen), TARGETS, MAX_USD)
    assert found.verdict == "fine-tune"
    assert found.would_change[1:] == (
        "declaring value.change_every_days: git shows a change every 7 days, and monthly changes speak against a "
        "fine-tune",
    )
    seldom = verdict(evidence(rung("probe", 0.9), cadence=Cadence(None, 31)), TARGETS, MAX_USD)
    stays = verdict(evidence(rung("probe", 0.99), cadence=seen), TARGETS, MAX_USD)
    pays = evidence(
        prompted(0.9, usd_per_1000=2.0), cadence=seen, worth=cost_inputs(10_000, error_usd=0.05, cadence_days=7)
    )
    for other in (seldom, stays, verdict(pays, TARGETS, MAX_USD)):
        assert not any("value.change_every_days" in line for line in other.would_change)


def test_monthly_changes_are_no_matter_where_retraining_every_time_pays() -> None:
    often, inputs = Cadence(declared_days=14), cost_inputs(10_000, error_usd=0.05, cadence_days=14)
    pays = evidence(prompted(0.9, usd_per_1000=2.0), cadence=often, worth=inputs)
    assert verdict(pays, TARGETS, MAX_USD).verdict == "fine-tune"
    few = evidence(
        prompted(0.9, usd_per_1000=2.0), cadence=often, worth=cost_inputs(1700, error_usd=0.05, cadence_days=14)
    )
    found = verdict(few, TARGETS, MAX_USD)
    assert found.verdict == "not-yet"
    assert "one that just reaches the target 94.0 % would lose $" in found.reason
    assert [line.partition(";")[0] for line in found.would_change[1:3]] == [
        "at 2,000 requests a day the fine-tune wins",
        "at 1,400 requests a day a cheaper rung stays",
    ]


def test_it_names_where_the_fine_tune_wins_behind_where_it_is_not_yet_time() -> None:
    often, inputs = Cadence(declared_days=14), cost_inputs(600, error_usd=0.05, cadence_days=14)
    found = verdict(evidence(prompted(0.9, usd_per_1000=2.0), cadence=often, worth=inputs), TARGETS, MAX_USD)
    assert found.verdict == "stay"
    assert found.would_change[1:3] == (
        "at 1,500 requests a day it is not yet time; you have 600",
        "at 2,000 requests a day the fine-tune wins; you have 600",
    )


def test_where_no_rung_stays_dollars_choose_within_the_head_room_of_the_best() -> None:
    rungs = rung("majority", 0.05), rung("probe", 0.92, fit_rows=8000), prompted(0.93, usd_per_1000=2.0)
    assert verdict(evidence(*rungs), TARGETS, MAX_USD).best.name == "lm_retrieval"
    found = verdict(evidence(*rungs, worth=cost_inputs(10_000, error_usd=0.0001)), TARGETS, MAX_USD)
    assert found.best.name == "probe"


def test_the_roads_beside_are_a_prompt_and_a_local_rung() -> None:
    rungs = rung("tfidf", 0.85, fit_rows=9), rung("probe", 0.9, fit_rows=9), prompted(0.8, name="lm_few_shot"), dear()
    found = verdict(evidence(*rungs, worth=cost_inputs()), TARGETS, MAX_USD).economics
    assert found is not None
    assert [candidate.name for candidate in found.candidates] == ["lm_retrieval", "probe", "lora"]
    assert found.requests_per_day == 10_000 and found.unknown == ()


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 0.99), st.floats(0.01, 5), st.floats(50, 1e6), st.floats(0.001, 1), st.floats(7, 400))
def test_every_turning_point_that_is_named_turns(
    value: float, per_1000: float, per_day: float, error: float, days: float
) -> None:
    inputs_now = cost_inputs(per_day, error, days)
    shown = evidence(rung("probe", 0.9, fit_rows=9), prompted(value, per_1000), worth=inputs_now, cadence=Cadence(days))
    found = verdict(shown, TARGETS, MAX_USD)
    words = {"stay": "a cheaper rung stays", "fine-tune": "the fine-tune wins", "not-yet": "it is not yet time"}
    for line in found.would_change[1:]:
        assert words[found.verdict] not in line
        if volume := re.findall(r"at ([\d,]+) requests a day", line):
            moved = cost_inputs(float(volume[0].replace(",", "")), error, days)
            there = verdict(replace(shown, inputs=moved), TARGETS, MAX_USD).verdict
            assert words[there] in line


@given(st.floats(10, 1e6), st.floats(10, 1e6))
def test_a_threshold_is_found_from_either_side(at: float, now: float) -> None:
    inputs = cost_inputs(now, error_usd=None)
    lines = turning_points(inputs, lambda other: "fine-tune" if (other.requests_per_day or 0) >= at else "stay")
    reachable = max(at / now, now / at) < 900
    if lines:
        (line,) = lines
        found = float(line.split()[1].replace(",", ""))
        assert (found >= at) == ("the fine-tune wins" in line) == (now < at)
        assert abs(found - at) <= 0.12 * at + 1
    else:
        assert not reachable


def test_what_never_turns_is_not_told() -> None:
    assert turning_points(cost_inputs(), lambda other: "stay") == []
    assert turning_points(cost_inputs(), lambda other: "not-yet") == []


def test_the_cost_of_an_error_turns_too() -> None:
    lines = turning_points(cost_inputs(), lambda other: "fine-tune" if (other.error_usd or 0) > 0.11 else "stay")
    assert lines == ["with an error worth $0.12 instead of $0.020 the fine-tune wins"]


def test_a_range_in_between_is_told_as_well_as_what_is_behind_it() -> None:
    def ask(other: CostInputs) -> Verdict:
        per_day = other.requests_per_day or 0
        return "stay" if per_day < 20_000 else "not-yet" if per_day < 50_000 else "fine-tune"

    assert turning_points(cost_inputs(10_000, error_usd=None), ask) == [
        "at 20,000 requests a day it is not yet time; you have 10,000",
        "at 50,000 requests a day the fine-tune wins; you have 10,000",
    ]


def test_a_cadence_that_is_only_seen_and_turned_the_verdict_is_named() -> None:
    def ask(other: CostInputs) -> Verdict:
        return "stay" if (other.cadence_days or 999) < 30 else "fine-tune"

    (line,) = seldom_line(Cadence(None, 7), cost_inputs(cadence_days=7), ask)
    assert line.startswith("declaring value.change_every_days: the change every 7 days that git shows is reckoned with")
    assert seldom_line(Cadence(7, 7), cost_inputs(cadence_days=7), ask) == [], "declared: nobody has to be told"
    assert seldom_line(Cadence(None, 60), cost_inputs(cadence_days=60), ask) == [], "it turned nothing"
    assert seldom_line(Cadence(), cost_inputs(cadence_days=None), ask) == []


def measured(hits: int, rows: int, name: str = "probe") -> RungResult:
    """A rung with the interval that so many right rows really have."""
    return rung(name, 0.5).model_copy(update={"metrics": {"accuracy": share_of(hits, rows)}})


def test_sixty_of_sixty_rows_are_too_few_to_tell() -> None:
    found = verdict(evidence(measured(60, 60)), product_targets(0.95), MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "rows")
    assert found.reason.endswith(
        "60 dev rows show Probe to ± 3.0 points and cannot tell: about 72 would, so label more rows (dev takes its "
        "share) or raise split.dev_share"
    )
    assert verdict(evidence(measured(72, 72)), product_targets(0.95), MAX_USD).verdict == "stay"


def test_the_luckiest_of_ten_must_show_more_than_an_only_one() -> None:
    alone, targets = measured(146, 150), product_targets(0.93)
    assert verdict(evidence(alone), targets, MAX_USD).verdict == "stay"
    many = [measured(130, 150, f"r{i}") for i in range(9)]
    found = verdict(evidence(*many, alone), targets, MAX_USD)
    assert found.verdict == "not-yet"
    assert "but as one of 10 rungs looked at it is not sure to reach the target 93.0 %" in found.reason


def test_who_misses_by_one_constraint_alone_is_named() -> None:
    targets = replace(TARGETS, p99_ms=1000.0)
    near = prompted(0.99, p99_ms=1001.0)
    found = verdict(evidence(rung("probe", 0.9), near), targets, MAX_USD)
    assert (found.verdict, found.best.name) == ("fine-tune", "probe")
    assert "; Retrieval prompt reaches 99.0 % (98.0–100.0), but its p99 1001.00 ms misses 1000 ms; " in found.reason
    assert "a latency target of 1001.0 ms or more: Retrieval prompt would do" in found.would_change
    timed = near.latency.model_copy(update={"p99_low_ms": 950.0})
    open_ = verdict(evidence(rung("probe", 0.9), near.model_copy(update={"latency": timed})), targets, MAX_USD)
    assert (open_.verdict, open_.cause) == ("not-yet", "rows")
    assert "its p99 1001.00 ms (950.0 to not bounded) misses 1000 ms, within its interval" in open_.reason


def faulty(fault: str, rows: int, failures: int = 100) -> DiagnoseReport:
    other = FailureClass(
        fault="unexplained",
        reason="unexplained",
        rows=failures - rows,
        share=share_of(failures - rows, failures),
        action="?",
    )
    mine = FailureClass(
        fault=fault, reason="retrieval missed", rows=rows, share=share_of(rows, failures), action="show more examples"
    )  # type: ignore[arg-type]
    return DiagnoseReport(
        use_case="toy", stage="diagnose", rung="lm_retrieval", strong_model="large", rows=1000, failures=failures,
        classes=(mine, other),
    )  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), [("context", "the context"), ("label", "labels")])
def test_faults_that_alone_keep_the_best_prompt_out_are_mended_first(fault: str, words: str) -> None:
    shown = replace(evidence(prompted(0.9)), diagnosis=faulty(fault, 70))
    found = verdict(shown, TARGETS, MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "context")
    assert found.reason.endswith(
        f"of 100 failures of Retrieval prompt 70 are the fault of {words}, and without them it would do: fix {words} "
        "first (show more examples)"
    )
    assert verdict(replace(shown, diagnosis=faulty(fault, 40)), TARGETS, MAX_USD).verdict == "fine-tune"
    hopeless = replace(evidence(prompted(0.7)), diagnosis=faulty(fault, 70))
    assert verdict(hopeless, TARGETS, MAX_USD).verdict == "fine-tune", "mending would not do"


def test_a_model_that_is_too_weak_is_called_so() -> None:
    shown = replace(evidence(prompted(0.9)), diagnosis=faulty("model", 70))
    found = verdict(shown, TARGETS, MAX_USD)
    assert found.verdict == "fine-tune"
    assert "the context is sound and small too weak: large answers 70 of its 100 failures" in found.reason
    slow = prompted(0.99, p99_ms=3000, name="lm_strong", title="Strong model", role="strong")
    dear = verdict(
        replace(evidence(prompted(0.9), slow), diagnosis=faulty("model", 70)), replace(TARGETS, p99_ms=1000.0), MAX_USD
    )
    assert dear.reason.endswith("but its p99 3000.00 ms misses 1000 ms: this is a fine-tune of another, smaller model")


def test_a_gain_that_may_be_none_does_not_ask_for_labels() -> None:
    climbing = evidence(rung("probe", 0.9), train_rows=3000, gain=0.03)
    last = climbing.curve[-1]
    for low, verdict_ in ((0.01, "not-yet"), (-0.005, "fine-tune")):
        gain = Estimate(value=0.03, low=low, high=0.06, rows=300)
        shown = replace(climbing, curve=(*climbing.curve[:-1], last.model_copy(update={"gain": gain})))
        assert verdict(shown, TARGETS, MAX_USD).verdict == verdict_


def test_a_training_that_costs_hardly_anything_is_tried_where_labels_are_few() -> None:
    few = verdict(evidence(rung("probe", 0.9), train_rows=3000, gain=0.03, usd=0.006), TARGETS, MAX_USD)
    assert (few.verdict, few.cause) == ("not-yet", "labels")
    tried = may_train(few, "auto", 0.006, 0.10)
    assert tried.yes and tried.reason == (
        "a training costs about $0.0060, below train.experiment_usd $0.10: it is tried; the verdict alone was not-yet"
    )
    assert not may_train(few, "auto", 0.2, 0.10).yes
    assert not may_train(few, "auto", None, 0.10).yes
    assert not may_train(few, "never", 0.006, 0.10).yes
    stays = verdict(evidence(rung("probe", 0.97), train_rows=3000, gain=0.03, usd=0.006), TARGETS, MAX_USD)
    assert stays.verdict == "stay" and not may_train(stays, "auto", 0.006, 0.10).yes


def test_a_prompt_that_was_asked_few_of_the_rows_is_asked_more() -> None:
    few = prompted(0.98).model_copy(update={"metrics": {"accuracy": share_of(98, 100)}})
    found = verdict(evidence(rung("probe", 0.9), few), product_targets(0.95), MAX_USD)
    assert (found.verdict, found.cause) == ("not-yet", "rows")
    assert "100 dev rows show Retrieval prompt to ±" in found.reason
    assert found.reason.endswith(
        "so ask small more of them (prompt.embedded_rows, prompt.max_rows, prompt.max_minutes)"
    )
