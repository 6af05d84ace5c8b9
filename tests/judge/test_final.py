"""Every row of the table after the test, with the reason that is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from judge.evidence import against, candidate, cost_inputs, evidence, noise, paired, product_targets, prompted, rung
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import CandidateResult, DecideReport, FinalVerdict, Paired
from tailtune.judge.constraints import Targets
from tailtune.judge.economics import Cadence
from tailtune.judge.evidence import Evidence
from tailtune.judge.final import OnTest, final_verdict, weigh_on_test
from tailtune.judge.net_value import FINE_TUNE, FINE_TUNE_TITLE
from tailtune.judge.shares import share_of
from tailtune.tasks import table

TARGETS = product_targets(0.94, min_effect=0.005, min_train_rows=5000)
LOCAL = evidence(rung("probe", 0.9))
PROMPT = "lm_retrieval"


def gap(value: float, low: float, high: float) -> Paired:
    """About 3,080 rows; the counts are those of a clear gain."""
    difference = Estimate(value=value, low=low, high=high, rows=3080)
    return Paired(
        first="lora", second="probe", difference=difference, only_first_right=90, only_second_right=52, p=0.0215
    )


def measured(comparison: Paired | None, tuned_ms: float = 4.0, **changes: Any) -> OnTest:
    return OnTest(
        **({"rung": candidate("probe", 0.9), "fine_tune": candidate("lora", 0.95, tuned_ms), "comparison": comparison}
        | changes)
    )  # fmt: skip


def decided(shown: Evidence = LOCAL, **changes: Any) -> DecideReport:
    known: dict[str, Any] = {
        "use_case": "toy", "stage": "decide", "verdict": "fine-tune", "reason": "why", "provisional": False,
        "best_rung": shown.rungs[0].name, "target": 0.94, "train": Decision(yes=True, reason="why"),
    }  # fmt: skip
    return DecideReport(**(known | changes))


def judged(
    found: OnTest, shown: Evidence = LOCAL, targets: Targets = TARGETS, **changes: Any
) -> tuple[Decision, FinalVerdict]:
    return final_verdict(found, decided(shown, **changes), shown, targets)


def test_the_fine_tune_is_called_as_predictors_call_it() -> None:
    assert (FINE_TUNE, FINE_TUNE_TITLE) == (table.FINE_TUNE, table.FINE_TUNE_TITLE)


def test_a_clear_gain_wins_and_says_by_how_much() -> None:
    won, final = judged(measured(gap(0.0123, 0.004, 0.021)))
    assert won == Decision(yes=True, reason="the fine-tune beats Probe by +1.2 points (+0.4 to +2.1), p = 0.021")
    assert (final.verdict, final.reason, final.provisional) == ("fine-tune", won.reason, False)
    assert final.economics is None


@pytest.mark.parametrize("low", [0.0, -0.001])
def test_ties_stay_with_the_cheaper_one(low: float) -> None:
    won, final = judged(measured(gap(0.002, low - 0.004, 0.008)))
    assert not won.yes
    assert won.reason.startswith("the fine-tune is not clearly better than Probe: +0.2 points")
    assert final.verdict == "stay"


def test_rows_that_do_not_rule_a_gain_out_say_not_yet_and_how_many_would() -> None:
    won, final = judged(measured(gap(0.01, -0.01, 0.03)))
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert final.reason.endswith(
        "3,080 test rows show the difference to ± 2.0 points, and do not rule out a gain worth having: about 13,000 "
        "would tell"
    )
    reached = judged(measured(gap(0.01, -0.01, 0.03), rung=candidate("probe", 0.95)))[1]
    assert reached.verdict == "stay", "the cheaper one does what is asked"


@pytest.mark.parametrize("value", [-0.02, -0.004, 0.0, 0.003, 0.006, 0.009])
@pytest.mark.parametrize("half", [0.011, 0.02, 0.06])
@pytest.mark.parametrize("is_dear", [False, True])
def test_more_rows_are_asked_for_than_there_are(value: float, half: float, is_dear: bool) -> None:
    comparison = gap(value, value - half, value + half)
    tuned = candidate("lora", 0.935)
    if is_dear:
        final = judged(
            replace(priced(comparison), fine_tune=tuned, rung=candidate("lm_retrieval", 0.941)), dear(10_000)
        )[1]
    else:
        final = judged(measured(comparison, fine_tune=tuned))[1]
    rows = [int(found.replace(",", "")) for found in re.findall(r"about ([\d,]+) would tell", final.reason)]
    assert all(each >= 3080 for each in rows)
    assert (final.verdict == "not-yet") == (bool(rows) or "hardly any number would tell" in final.reason)


def test_what_is_surely_worse_than_the_margin_and_short_of_the_target_waits_for_no_rows() -> None:
    worse = priced(gap(-0.03, -0.04, -0.011))
    short = replace(worse, fine_tune=candidate("lora", 0.92), rung=candidate("lm_retrieval", 0.945))
    final = judged(short, dear(10_000))[1]
    assert final.verdict == "stay" and "do not rule out" not in final.reason
    may_reach = replace(short, fine_tune=candidate("lora", 0.935))
    assert judged(may_reach, dear(10_000))[1].verdict == "not-yet"


def test_what_is_clearly_worse_is_called_so() -> None:
    won, final = judged(measured(gap(-0.02, -0.03, -0.01)))
    assert (
        won.reason.startswith("the fine-tune is clearly worse than Probe: −2.0 points") or "-2.0 points" in won.reason
    )
    assert final.verdict == "stay"


def test_a_winner_must_keep_the_latency_target() -> None:
    fast = replace(TARGETS, p99_ms=10.0)
    won, final = judged(measured(gap(0.01, 0.005, 0.02), tuned_ms=10.01), targets=fast)
    assert (won.yes, final.verdict) == (False, "stay")
    assert "is better (+1.0 points (+0.5 to +2.0), p = 0.021) but its p99 10.01 ms misses 10 ms;" in won.reason
    assert "a latency target of 10.1 ms or more: the fine-tune wins" in final.would_change
    assert judged(measured(gap(0.01, 0.005, 0.02), tuned_ms=10.0), targets=fast)[0].yes
    assert judged(measured(gap(0.01, 0.005, 0.02), tuned_ms=1e9))[0].yes


def test_a_winner_must_give_usable_answers() -> None:
    strict = replace(TARGETS, validity=1.0)
    rude = candidate("lora", 0.95, invalid_rows=1)
    assert not judged(measured(gap(0.01, 0.005, 0.02), fine_tune=rude), targets=strict)[0].yes
    assert judged(measured(gap(0.01, 0.005, 0.02), fine_tune=rude))[0].yes


def test_few_discordant_rows_are_not_a_clear_gain() -> None:
    """4 against 0 of 300: a bootstrap would be sure; neither the interval nor the exact test is."""
    found = paired(np.ones(300, dtype=bool), np.arange(300) >= 4, ("lora", "probe"))
    assert found.difference.low < 0 and found.p > 0.05
    assert not judged(measured(found))[0].yes


def test_a_slow_rung_is_replaced_by_an_equal_that_reaches_the_target() -> None:
    fast = replace(TARGETS, p99_ms=100.0)
    slow = candidate(PROMPT, 0.95, p99_ms=800.0)
    shown = evidence(prompted(0.95))
    won, final = judged(measured(gap(0.0, -0.01, 0.01), rung=slow), shown, fast)
    assert (won.yes, final.verdict) == (True, "fine-tune")
    assert won.reason.startswith("the fine-tune reaches 95.0 % (94.0–96.0); Lm_Retrieval is out: its p99 800.00 ms")
    short = measured(gap(0.0, -0.01, 0.01), rung=slow, fine_tune=candidate("lora", 0.93))
    won, final = judged(short, shown, fast)
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert final.reason.endswith("Lm_Retrieval cannot be served: its p99 800.00 ms misses 100 ms")


def test_neither_reaches_the_target_and_labels_are_few() -> None:
    few = evidence(rung("probe", 0.9), train_rows=3000, gain=0.02)
    short = measured(gap(0.01, -0.001, 0.02), fine_tune=candidate("lora", 0.93))
    won, final = judged(short, few)
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert "neither reaches the target 94.0 %: 3,000 good labels are fewer than 5,000" in final.reason
    assert judged(measured(gap(0.001, -0.005, 0.008)), few)[1].verdict == "stay"
    assert judged(replace(short, comparison=gap(0.001, -0.005, 0.008)))[1].verdict == "stay"
    assert judged(replace(short, comparison=gap(0.01, 0.002, 0.02)), few)[1].verdict == "fine-tune"


def test_two_that_fall_short_are_told_so_with_the_distance_and_what_to_do() -> None:
    short = measured(gap(0.003, -0.004, 0.009), fine_tune=candidate("lora", 0.93))
    won, final = judged(short)
    assert (won.yes, final.verdict, final.reason) == (False, "stay", won.reason)
    assert final.reason.endswith(
        "neither reaches the target 94.0 %: Probe is 4.0 points (3.0 to 5.0) short, the fine-tune 1.0 points (0.0 to "
        "2.0); stay is the cheaper of two that fall short: read the failures on test, or agree on a lower target, "
        "before more is spent"
    )
    open_ = judged(short, evidence(rung("probe", 0.9), unmeasured=["prompted models"]))[1]
    assert "measure what was not measured, or agree" in open_.reason
    reached = judged(measured(gap(0.003, -0.004, 0.009), rung=candidate("probe", 0.94)))[1]
    assert "short" not in reached.reason


def test_a_winner_that_falls_short_by_labels_that_look_alike_is_told_so() -> None:
    tuned = candidate("lora", 0.93)
    muddled = tuned.model_copy(update={"look_alike_rows": tuned.quality.rows})
    found = judged(measured(gap(0.03, 0.01, 0.05), fine_tune=muddled))[1]
    assert found.verdict == "fine-tune"
    assert " short of the target 94.0 %: of " in found.reason and "say in labels.yaml which are one" in found.reason


def test_labels_that_hide_the_target_are_to_be_fixed_first_and_the_choice_stays() -> None:
    wrong, targets = noise(0.05, 0.03, 0.08).model_copy(update={"split": "test"}), product_targets(0.98)
    short = measured(gap(0.003, -0.004, 0.009), labels=wrong)
    _, stays = judged(short, targets=targets)
    assert stays.verdict == "stay"
    assert "the cheaper of two that fall short: the target 98.0 % lies above what the test labels" in stays.reason
    few = evidence(rung("probe", 0.9), train_rows=3000, gain=0.02)
    unsure = replace(short, comparison=gap(0.01, -0.001, 0.02))
    for shown in (few, LOCAL):
        _, later = judged(unsure, shown, targets)
        assert later.verdict == "not-yet" and "fix labels first" in later.reason
        assert "label more" not in later.reason and "test rows show the difference" not in later.reason
    assert "fix labels first" not in judged(unsure, few)[1].reason  # 94 % can be shown


@pytest.mark.parametrize(
    ("comparison", "verdict"), [(gap(0.003, -0.004, 0.009), "stay"), (gap(0.01, 0.002, 0.02), "fine-tune")]
)
def test_who_answers_and_falls_short_alone_is_told_so_too(comparison: Paired, verdict: str) -> None:
    tuned = candidate("lora", 0.95 if verdict == "stay" else 0.935)
    won, final = judged(measured(comparison, fine_tune=tuned))
    assert (final.verdict, final.reason) == (verdict, won.reason)
    text = "Probe is still 4.0 points (3.0 to 5.0)" if verdict == "stay" else "the fine-tune is still 0.5 points (−0.5"
    assert f"; {text}" in final.reason and "short of the target 94.0 %" in final.reason
    assert "neither" not in final.reason


def test_a_cadence_that_is_only_seen_is_still_named_after_the_test() -> None:
    shown = evidence(rung("probe", 0.9), cadence=Cadence(None, 7))
    line, clear = shown.cadence.declaring, measured(gap(0.0123, 0.004, 0.021))
    assert line
    assert line in judged(clear, shown, would_change=("x", line))[1].would_change
    assert line not in judged(clear, shown, would_change=("x",))[1].would_change
    assert line not in judged(measured(gap(0.01, -0.001, 0.02)), shown, would_change=(line,))[1].would_change
    assert "" not in judged(clear, LOCAL, would_change=("x",))[1].would_change


def dear(per_day: float, error_usd: float = 0.02) -> Evidence:
    return evidence(prompted(0.95, usd_per_1000=3.0), worth=cost_inputs(per_day, error_usd))


def priced(comparison: Paired, quality: float = 0.95) -> OnTest:
    price = Estimate(value=0.003, low=0.00295, high=0.00305, rows=3000)
    return measured(comparison, rung=candidate(PROMPT, quality, p99_ms=800.0, usd_per_1000=3.0), price=price)


def test_a_dear_prompt_is_replaced_by_an_equal() -> None:
    even = against(60, 60, half=0.004)
    won, final = judged(priced(even), dear(10_000))
    assert (won.yes, final.verdict) == (True, "fine-tune")
    assert won.reason.startswith("the fine-tune is not clearly worse than Lm_Retrieval (±0.0 points")
    assert won.reason.endswith("positive with 100.0 %")
    assert judged(priced(even), evidence(prompted(0.95, usd_per_1000=3.0)))[1].verdict == "stay"


def test_but_not_by_one_that_may_be_worse_than_the_margin_and_miss_the_target() -> None:
    wide = priced(against(60, 60, half=0.012))
    unsure = replace(wide, fine_tune=candidate("lora", 0.945))
    assert judged(unsure, dear(10_000))[1].verdict != "fine-tune"
    assert judged(replace(unsure, comparison=against(60, 60, half=0.009)), dear(10_000))[1].verdict == "fine-tune"


def test_by_one_that_is_worse_where_it_surely_reaches_the_target_too() -> None:
    won, final = judged(priced(against(40, 100, half=0.009)), dear(10_000))
    assert (won.yes, final.verdict) == (True, "fine-tune")
    assert won.reason.startswith("the fine-tune surely reaches the target 94.0 % too (95.0 % (94.0–96.0)), though ")
    unsure = replace(priced(against(40, 100, half=0.009)), fine_tune=candidate("lora", 0.945))
    assert not judged(unsure, dear(10_000))[0].yes


def test_and_not_where_it_does_not_surely_pay() -> None:
    won, final = judged(priced(against(60, 60, half=0.004)), dear(300))
    assert (won.yes, final.verdict) == (False, "stay")
    assert "the cheaper one stays; its net value over 12 months is −$" in won.reason
    (line,) = [one for one in final.would_change if "requests a day" in one]
    volume = float(line.split()[1].replace(",", ""))
    assert line == f"at {volume:,.0f} requests a day the fine-tune wins; you have 300"
    assert judged(priced(against(60, 60, half=0.004)), dear(volume))[1].verdict == "fine-tune"
    assert judged(priced(against(60, 60, half=0.004)), dear(volume * 0.9))[1].verdict == "stay"


def test_a_gain_that_is_not_worth_its_costs_is_no_reason_to_change() -> None:
    won, final = judged(priced(against(120, 60)), dear(100, error_usd=0.001))
    assert (won.yes, final.verdict) == (False, "stay")
    assert "the fine-tune is better (+2.0 points" in won.reason
    assert "but does not surely pay; its net value over 12 months is −$" in won.reason


def test_a_gain_that_pays_wins_and_both_roads_are_shown_as_tested() -> None:
    won, final = judged(priced(against(120, 60), quality=0.93), dear(10_000))
    assert won.yes
    assert final.economics is not None
    first, *_, tuned = final.economics.candidates
    assert (first.name, first.quality, first.request_usd) == (PROMPT, 0.93, 0.003)
    assert (tuned.name, tuned.quality) == ("lora", 0.95)
    net = final.economics.net_value
    assert net is not None and net.low < net.value < net.high and net.rows == 3000
    # errors follow the paired rows, tokens the bought answers
    fixed = 700.8 + 365.25 / 90 * (150 + 8.02 - 75) + 0.02
    assert net.value == pytest.approx(3_652_500 * (0.003 + 0.02 * 0.02) - fixed)
    assert final.economics.probability == 1.0


def test_what_is_not_known_leaves_quality_to_decide() -> None:
    shown = evidence(prompted(0.95, usd_per_1000=None), worth=cost_inputs())
    found = replace(priced(against(120, 60)), price=None)
    assert weigh_on_test(found, shown) is None
    won, final = judged(found, shown)
    assert won.yes and "net value" not in won.reason
    assert final.economics is not None and final.economics.net_value is None
    assert final.economics.unknown == ("what a request to Retrieval prompt costs",)


def test_nothing_trained_leaves_the_decision() -> None:
    probe = candidate("probe", 0.97)
    shown = evidence(rung("probe", 0.97))
    won, final = judged(OnTest(rung=probe), shown, verdict="stay", provisional=True, would_change=("x",))
    assert won == Decision(yes=False, reason="nothing was trained; Probe answers")
    assert (final.verdict, final.provisional) == ("stay", True)
    assert final.reason.startswith("on test Probe reaches 97.0 % (96.0–98.0): at or above 96.0 %")
    (line,) = final.would_change
    assert line.endswith("Probe would no longer do")


@pytest.mark.parametrize(("quality", "verdict"), [(0.929, "not-yet"), (0.931, "stay")])
def test_a_rung_that_does_not_hold_on_test_does_not_stay(quality: float, verdict: str) -> None:
    """Its interval is ± 1 point, the target 94 %."""
    won, final = judged(OnTest(rung=candidate("probe", quality)), evidence(rung("probe", 0.97)), verdict="stay")
    assert (won.yes, final.verdict) == (False, verdict)
    assert final.reason.startswith("Probe did on dev" if verdict == "not-yet" else "on test Probe reaches 93.1 %")
    assert "less often on test than on dev" in final.reason


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize(("on_test", "parts"), [(0.9, False), (0.91, False), (0.96, True)])
def test_where_dev_and_test_part_beyond_chance_the_reason_says_so(on_test: float, parts: bool, tuned: bool) -> None:
    probe = candidate("probe", on_test)
    final = judged(measured(gap(0.01, 0.005, 0.02), rung=probe) if tuned else OnTest(rung=probe), LOCAL)[1]
    assert ("more often on test than on dev" in final.reason) is parts


SERVED = replace(TARGETS, p99_ms=10.0, validity=0.99)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (candidate("probe", 0.97, p99_ms=10.5), "on test its p99 10.50 ms misses 10 ms: find out how test differs"),
        (candidate("probe", 0.97, invalid_rows=34), "on test only 98.9 % of its answers can be used, 99.0 % must be"),
        (
            candidate("probe", 0.9, p99_ms=11),
            "on test it reaches 90.0 % (89.0–91.0), short of 94.0 % and its p99 11.00",
        ),
    ],
)
def test_a_rung_that_cannot_be_served_on_test_does_not_stay(found: CandidateResult, expected: str) -> None:
    shown = evidence(rung("probe", 0.97))
    won, final = judged(OnTest(rung=found), shown, SERVED, verdict="stay", would_change=("of the earlier verdict",))
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert final.reason.startswith(f"Probe did on dev, but {expected}")
    (line,) = final.would_change
    assert line.endswith("Probe would do")
    assert judged(OnTest(rung=candidate("probe", 0.97, p99_ms=10)), shown, SERVED, verdict="stay")[1].verdict == "stay"
    assert judged(OnTest(rung=found), shown, SERVED, verdict="fine-tune")[1].verdict == "fine-tune"
    for missed in (rung("probe", 0.9, p99_ms=12), rung("probe", 0.9, invalid_rows=30)):
        as_before = judged(OnTest(rung=found), evidence(missed), SERVED, verdict="stay")[1]
        assert as_before.verdict == "stay", "dev said the same"


@pytest.mark.parametrize(("invalid_rows", "by_chance"), [(34, True), (90, False)])
def test_what_chance_may_explain_on_test_is_no_difference_from_dev(invalid_rows: int, by_chance: bool) -> None:
    """Of 3,000 rows 34 leave 98.9 % (98.4 to 99.2), 90 leave 97.0 % (96.3 to 97.6)."""
    found = OnTest(rung=candidate("probe", 0.97, invalid_rows=invalid_rows))
    final = judged(found, evidence(rung("probe", 0.97)), SERVED, verdict="stay")[1]
    assert final.verdict == "not-yet"
    assert ("time or label more test rows to tell" in final.reason) == by_chance
    assert ("find out how test differs from dev" in final.reason) != by_chance


def test_rows_that_cannot_tell_on_test_are_called_test_rows() -> None:
    shown = evidence(rung("probe", 0.955, low=0.93))
    few = candidate("probe", 0.5).model_copy(update={"metrics": {"accuracy": share_of(385, 400)}})
    final = judged(OnTest(rung=few), shown, verdict="not-yet")[1]
    assert final.reason.startswith("on test Probe reaches 96.2 % (93.9–97.9)")
    assert "400 test rows show Probe to ± 2.0 points and cannot tell" in final.reason
    assert "so label more test rows" in final.reason and "dev row" not in final.reason.partition("; Probe is right")[0]


def test_figures_of_dev_are_not_said_to_be_of_test() -> None:
    shown = evidence(rung("probe", 0.9), rung("slow", 0.99, p99_ms=20.0))
    final = judged(OnTest(rung=candidate("probe", 0.9)), shown, SERVED, verdict="fine-tune")[1]
    assert final.reason.startswith("on test Probe reaches 90.0 %") and "Slow" not in final.reason
    assert any("Slow would do" in line for line in final.would_change)


def test_a_rung_that_stays_because_nothing_pays_need_not_reach_the_target() -> None:
    assert judged(OnTest(rung=candidate("probe", 0.9)), LOCAL, verdict="stay")[1].verdict == "stay"


def test_what_was_not_measured_is_named() -> None:
    shown = evidence(rung("probe", 0.9), unmeasured=["prompted models"])
    final = judged(measured(gap(0.0123, 0.004, 0.021)), shown, provisional=True)[1]
    assert final.provisional
    assert final.would_change == ("a target accuracy of 85.0 % or less: Probe would do", "measuring prompted models")


def test_whole_rows_count_in_dollars_where_the_target_is_of_parts() -> None:
    """An extraction's error is a row that is not wholly right, whatever its F1."""

    def extracted(name: str, f1: float, exact: float) -> CandidateResult:
        measures = {"field_f1": Estimate(value=f1, low=f1, high=f1, rows=3000)}
        measures["exact_match"] = Estimate(value=exact, low=exact, high=exact, rows=3000)
        return candidate(name, f1).model_copy(update={"metrics": measures})

    found = replace(
        priced(against(300, 60)), rung=extracted(PROMPT, 0.95, 0.5), fine_tune=extracted("lora", 0.96, 0.58)
    )
    shown = dear(10_000)
    weighed = weigh_on_test(found, shown)
    assert weighed is not None
    assert (weighed.other.wrong, weighed.tuned.wrong) == (0.5, pytest.approx(0.42))
    assert weighed.gain.value == pytest.approx(0.08)
