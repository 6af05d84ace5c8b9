"""Every line of a bill from its prices; what is not known is null and named; how often behaviour changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import cost_inputs, prompted, rung
from tailtune.core.reports import CandidateCost
from tailtune.judge.economics import (
    MONTH_DAYS,
    Cadence,
    cost_of,
    default_amounts,
    fixed_usd,
    missing_inputs,
    owning_usd,
    request_usd,
    seen_days,
    serving_of,
    training_usd,
    usd_per_1000,
)
from tailtune.judge.net_value import assumed, measured

PROMPT = measured(prompted(0.96, usd_per_1000=0.5))
PROBE = measured(rung("probe", 0.93, fit_rows=8000))
TUNED = assumed(rung("probe", 0.93), 0.95, "assumed")
YEAR = 365.25
CHANGES = YEAR / 90


def lines(found: CandidateCost) -> dict[str, float | None]:
    return {line.what: line.usd for line in found.lines}


def test_the_lines_of_a_prompt() -> None:
    found = lines(cost_of(PROMPT, cost_inputs()))
    assert found == {
        "labels": pytest.approx(8000 * 0.08),
        "changes of behaviour": pytest.approx(CHANGES * 75),
        "tokens": pytest.approx(10_000 * YEAR * 0.0005),
        "wrong answers": pytest.approx(10_000 * YEAR * 0.04 * 0.02),
    }


def test_the_lines_of_a_fine_tune() -> None:
    found = lines(cost_of(TUNED, cost_inputs()))
    assert found == {
        "labels": pytest.approx(8000 * 0.08),
        "training": 0.02,
        "serving": pytest.approx(2 * 0.04 * 730 * 12),
        "changes of behaviour": pytest.approx(CHANGES * (2 * 75 + 100 * 0.08 + 0.02)),
        "wrong answers": pytest.approx(10_000 * YEAR * 0.05 * 0.02),
    }


def test_a_fitted_rung_is_served_and_refitted_and_never_trained() -> None:
    found = lines(cost_of(PROBE, cost_inputs()))
    assert "training" not in found and "tokens" not in found
    assert found["changes of behaviour"] == pytest.approx(CHANGES * (150 + 8))
    free = measured(rung("zero_shot", 0.6))
    assert lines(cost_of(free, cost_inputs()))["changes of behaviour"] == pytest.approx(CHANGES * 75)


def test_a_language_model_in_a_folder_is_served_by_us() -> None:
    """Whatever its core time comes to for a request, known or not: the cores are paid for day and night."""
    for usd in (0.5, 0.0, None):
        inputs = measured(prompted(0.9, usd_per_1000=usd, hosted=True))
        found = lines(cost_of(inputs, cost_inputs()))
        assert found["serving"] == pytest.approx(2 * 0.04 * 730 * 12)
        assert "tokens" not in found and inputs.request_usd == 0
        assert missing_inputs([inputs], cost_inputs()) == ()


def test_an_endpoint_that_costs_nothing_runs_on_no_cores_of_ours() -> None:
    found = lines(cost_of(measured(prompted(0.9, usd_per_1000=0.0)), cost_inputs()))
    assert "serving" not in found
    assert found["tokens"] == 0


def test_totals_are_sums_and_parts_are_by_kind() -> None:
    found = cost_of(TUNED, cost_inputs(measured_usd=1.25, kept_gb=2.0))
    known = {line.what: line.usd or 0.0 for line in found.lines}
    assert found.total_usd == pytest.approx(sum(known.values()))
    assert found.one_off_usd == pytest.approx(known["labels"] + known["evaluation"] + known["training"])
    monthly = known["serving"] + known["changes of behaviour"] + known["storage"]
    assert found.monthly_usd == pytest.approx(monthly / 12)
    assert (found.request_usd, found.quality) == (0.0, None)
    assert known["storage"] == pytest.approx(2 * 0.023 * 12)
    assert {line.what for line in found.lines if line.hidden} == {
        "labels", "evaluation", "changes of behaviour", "storage", "wrong answers",
    }  # fmt: skip


def test_what_is_spent_already_cancels() -> None:
    """A thousand dollars of labels and answers bought to measure argue for no candidate."""
    cheap, dear = cost_inputs(measured_usd=0.0), cost_inputs(measured_usd=500.0, train_rows=50_000, kept_gb=99.0)
    for candidate in (PROMPT, PROBE, TUNED):
        assert owning_usd(candidate, cheap) == owning_usd(candidate, dear)
        assert cost_of(candidate, dear).total_usd > cost_of(candidate, cheap).total_usd + 500  # type: ignore[operator]


@given(st.floats(1, 1e6), st.floats(0, 10), st.floats(1, 400))
def test_owning_is_fixed_cores_and_by_request(per_day: float, error_usd: float, days: float) -> None:
    inputs = cost_inputs(per_day, error_usd, days, train_rows=0)
    for candidate in (PROMPT, PROBE, TUNED):
        fixed, each = fixed_usd(candidate, inputs), request_usd(candidate, inputs)
        cores = serving_of(candidate, inputs).usd(per_day)
        assert fixed is not None and each is not None and cores is not None
        assert cost_of(candidate, inputs).total_usd == pytest.approx(fixed + cores + each * per_day * 12 * MONTH_DAYS)


@pytest.mark.parametrize(
    ("changes", "named", "null"),
    [
        ({"error_usd": None}, "value.error_usd", {"wrong answers"}),
        ({"cadence_days": None}, "value.change_every_days", {"changes of behaviour"}),
        ({"person_hour_usd": None}, "person_hour_usd", {"changes of behaviour"}),
        ({"label_usd": None}, "label_usd", {"labels", "changes of behaviour"}),
        ({"core_hour_usd": None}, "cpu_core_hour_usd", {"serving"}),
        ({"storage_gb_month_usd": None}, "storage_gb_month_usd", {"storage"}),
        ({"measured_usd": None}, "bought to measure", {"evaluation"}),
    ],
)  # fmt: skip
def test_what_is_not_declared_is_null_and_named(changes: dict[str, None], named: str, null: set[str]) -> None:
    inputs = replace(cost_inputs(kept_gb=1.0, measured_usd=1.0), **changes)  # type: ignore[arg-type]
    found = cost_of(TUNED, inputs)
    assert {line.what for line in found.lines if line.usd is None} == null
    assert found.total_usd is None
    assert [why for why in missing_inputs([TUNED, PROBE], inputs) if named in why]
    assert len(missing_inputs([TUNED, PROBE], inputs)) == 1
    assert all("not known" in line.basis for line in found.lines if line.usd is None and line.what != "evaluation")


def test_an_unpriced_prompt_is_null_and_named() -> None:
    found = measured(prompted(0.96, usd_per_1000=None))
    assert not found.hosted
    assert lines(cost_of(found, cost_inputs()))["tokens"] is None
    assert missing_inputs([found], cost_inputs()) == ("what a request to Retrieval prompt costs",)
    assert missing_inputs([PROMPT, PROBE, TUNED], cost_inputs()) == ()


def test_nothing_of_an_unknown_price_costs_nothing() -> None:
    """Whoever needs no new labels for a change needs no price of labels."""
    inputs = cost_inputs(
        10, 0.0, new_labels_per_change=0, retrain_hours_per_change=0, label_usd=None, person_hour_usd=None
    )
    assert lines(cost_of(PROBE, inputs))["changes of behaviour"] == 0
    assert lines(cost_of(PROBE, inputs))["wrong answers"] == 0


def test_cores_that_serve_are_those_of_the_price_list() -> None:
    inputs = cost_inputs(serving_cores=8, core_hour_usd=0.10)
    assert lines(cost_of(PROBE, inputs))["serving"] == pytest.approx(8 * 0.10 * 730 * 12)


def test_1000_rows_at_3_6_ms_are_3_6_seconds_of_a_core() -> None:
    assert usd_per_1000(3.6, 0.04) == pytest.approx(0.00004)


def test_training_is_rows_by_epochs_at_a_pace() -> None:
    assert training_usd(rows=10_000, epochs=5, rows_per_s=500, machine_hour_usd=0.08) == pytest.approx(
        100 / 3600 * 0.08
    )


def test_an_unknown_price_gives_an_unknown_amount_and_a_price_of_0_gives_0() -> None:
    assert usd_per_1000(3.6, None) is None
    assert training_usd(10, 1, 5.0, None) is None
    assert usd_per_1000(3.6, 0.0) == 0
    assert training_usd(10, 1, 5.0, 0.0) == 0


@pytest.mark.parametrize("pace", [0.0, -1.0])
def test_a_pace_that_was_not_measured_gives_no_estimate(pace: float) -> None:
    assert training_usd(10, 1, pace, 0.08) is None


def test_the_median_gap_counts_and_a_day_of_many_commits_is_one_change() -> None:
    assert seen_days([0.2, 0.3, 0.9, 20.5, 50.0, 90.1]) == 30.0
    assert seen_days([90.1, 50.0, 0.3, 20.5, 0.2, 0.9]) == 30.0


@pytest.mark.parametrize("changes", [[], [0.0, 90.0], [0.0, 0.5, 0.6, 90.0], [0.0, 1.0, 2.0, 59.9]])
def test_few_changes_or_a_young_history_say_nothing(changes: list[float]) -> None:
    assert seen_days(changes) is None


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_a_cadence_is_at_least_a_day_and_at_most_the_span(changes: list[float]) -> None:
    found = seen_days(changes)
    assert found is None or 1 <= found <= max(changes) - min(changes) + 1


@pytest.mark.parametrize(
    ("declared", "seen", "days", "often"),
    [(None, None, None, False), (90, 7, 90, False), (30, None, 30, True), (30.5, 7, 30.5, False), (None, 7, 7, True)],
)
def test_what_is_declared_counts_before_what_was_seen(
    declared: float | None, seen: float | None, days: float | None, often: bool
) -> None:
    found = Cadence(declared, seen)
    assert (found.days, found.often) == (days, often)
    assert found.binding == (often and declared is not None)
    assert bool(found.declaring) == (often and declared is None)


def test_a_default_price_is_named_on_the_bill_and_in_a_list() -> None:
    """22,500 public labels were billed $1,800 that nobody declared, and nothing said so."""
    inputs = cost_inputs(train_rows=22_500, defaults=frozenset({"label_usd"}))
    labels = next(line for line in cost_of(TUNED, inputs).lines if line.what == "labels")
    assert labels.usd == pytest.approx(1_800)
    assert labels.basis == "22,500 rows × $0.080 (default price); there already, whichever candidate"
    assert default_amounts(inputs) == ("$0.080 a label (declare label_usd)",)
    assert default_amounts(cost_inputs()) == ()
    assert "default" not in "".join(line.basis for line in cost_of(TUNED, cost_inputs()).lines)


def test_what_was_not_measured_costs_nobody_knows_what() -> None:
    unknown = replace(PROMPT, wrong=math.nan)
    found = cost_of(unknown, cost_inputs())
    assert found.total_usd is None and owning_usd(unknown, cost_inputs()) is None
    assert found.lines[-1].usd is None and found.lines[-1].basis.startswith("not known how many errors")
    assert "how often Retrieval prompt is right" in missing_inputs([unknown], cost_inputs())
    assert not any("how often" in what and "right" in what for what in missing_inputs([PROMPT], cost_inputs()))
