"""Every line of a road from its prices; what is not known is null and named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import PRICES, prompted, rung, setting
from tailtune.config.value import ValueSpec
from tailtune.core.reports import Road
from tailtune.judge.economy import MONTH_DAYS, fixed_usd, owning_usd, request_usd, road, unknown
from tailtune.judge.weighing import assumed, option

PROMPT = option(prompted(0.96, usd_per_1000=0.5))
PROBE = option(rung("probe", 0.93, fit_rows=8000))
TUNED = assumed(rung("probe", 0.93), 0.95, "assumed")
YEAR = 365.25
CHANGES = YEAR / 90


def lines(found: Road) -> dict[str, float | None]:
    return {line.what: line.usd for line in found.lines}


def test_the_lines_of_a_prompt() -> None:
    found = lines(road(PROMPT, setting()))
    assert found == {
        "labels": pytest.approx(8000 * 0.08),
        "changes of behaviour": pytest.approx(CHANGES * 75),
        "tokens": pytest.approx(10_000 * YEAR * 0.0005),
        "wrong answers": pytest.approx(10_000 * YEAR * 0.04 * 0.02),
    }


def test_the_lines_of_a_fine_tune() -> None:
    found = lines(road(TUNED, setting()))
    assert found == {
        "labels": pytest.approx(8000 * 0.08),
        "training": 0.02,
        "serving": pytest.approx(2 * 0.04 * 730 * 12),
        "changes of behaviour": pytest.approx(CHANGES * (2 * 75 + 100 * 0.08 + 0.02)),
        "wrong answers": pytest.approx(10_000 * YEAR * 0.05 * 0.02),
    }


def test_a_fitted_rung_is_served_and_refitted_and_never_trained() -> None:
    found = lines(road(PROBE, setting()))
    assert "training" not in found and "tokens" not in found
    assert found["changes of behaviour"] == pytest.approx(CHANGES * (150 + 8))
    free = option(rung("zero_shot", 0.6))
    assert lines(road(free, setting()))["changes of behaviour"] == pytest.approx(CHANGES * 75)


def test_a_language_model_in_a_folder_is_served_by_us() -> None:
    """Whatever its core time comes to for a request, known or not: the cores are paid for day and night."""
    for usd in (0.5, 0.0, None):
        held = option(prompted(0.9, usd_per_1000=usd, hosted=True))
        found = lines(road(held, setting()))
        assert found["serving"] == pytest.approx(2 * 0.04 * 730 * 12)
        assert "tokens" not in found and held.request_usd == 0
        assert unknown([held], setting()) == ()


def test_an_endpoint_that_costs_nothing_runs_on_no_cores_of_ours() -> None:
    found = lines(road(option(prompted(0.9, usd_per_1000=0.0)), setting()))
    assert "serving" not in found
    assert found["tokens"] == 0


def test_totals_are_sums_and_parts_are_by_kind() -> None:
    found = road(TUNED, setting(measured_usd=1.25, kept_gb=2.0))
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
    """A thousand dollars of labels and answers bought to measure argue for no road."""
    cheap, dear = setting(measured_usd=0.0), setting(measured_usd=500.0, train_rows=50_000, kept_gb=99.0)
    for one in (PROMPT, PROBE, TUNED):
        assert owning_usd(one, cheap) == owning_usd(one, dear)
        assert road(one, dear).total_usd > road(one, cheap).total_usd + 500  # type: ignore[operator]


@given(st.floats(1, 1e6), st.floats(0, 10), st.floats(1, 400))
def test_owning_is_fixed_and_by_request(per_day: float, error_usd: float, days: float) -> None:
    held = setting(per_day, error_usd, days, train_rows=0)
    for one in (PROMPT, PROBE, TUNED):
        fixed, each = fixed_usd(one, held), request_usd(one, held)
        assert fixed is not None and each is not None
        assert road(one, held).total_usd == pytest.approx(fixed + each * per_day * 12 * MONTH_DAYS)


@pytest.mark.parametrize(
    ("changes", "named", "null"),
    [
        ({"error_usd": None}, "value.error_usd", {"wrong answers"}),
        ({"cadence_days": None}, "value.change_every_days", {"changes of behaviour"}),
        ({"person_hour_usd": None}, "person_hour_usd", {"changes of behaviour"}),
        ({"label_usd": None}, "label_usd", {"labels", "changes of behaviour"}),
        ({"cpu_core_hour_usd": None}, "cpu_core_hour_usd", {"serving"}),
        ({"storage_gb_month_usd": None}, "storage_gb_month_usd", {"storage"}),
        ({"measured_usd": None}, "bought to measure", {"evaluation"}),
    ],
)  # fmt: skip
def test_what_is_not_declared_is_null_and_named(changes: dict[str, None], named: str, null: set[str]) -> None:
    ((name, _),) = changes.items()
    held = setting(kept_gb=1.0, measured_usd=1.0)
    if name == "error_usd":
        held = setting(error_usd=None, kept_gb=1.0)
    elif hasattr(held, name):
        held = replace(held, **changes)
    else:
        held = replace(held, prices=PRICES.model_copy(update=changes))
    found = road(TUNED, held)
    assert {line.what for line in found.lines if line.usd is None} == null
    assert found.total_usd is None
    assert [why for why in unknown([TUNED, PROBE], held) if named in why]
    assert len(unknown([TUNED, PROBE], held)) == 1
    assert all("not known" in line.basis for line in found.lines if line.usd is None and line.what != "evaluation")


def test_an_unpriced_prompt_is_null_and_named() -> None:
    found = option(prompted(0.96, usd_per_1000=None))
    assert not found.hosted
    assert lines(road(found, setting()))["tokens"] is None
    assert unknown([found], setting()) == ("what a request to Retrieval prompt costs",)
    assert unknown([PROMPT, PROBE, TUNED], setting()) == ()


def test_nothing_of_an_unknown_price_costs_nothing() -> None:
    """Whoever needs no new labels for a change needs no price of labels."""
    value = ValueSpec(requests_per_day=10, error_usd=0.0, new_labels_per_change=0, retrain_hours_per_change=0)
    prices = PRICES.model_copy(update={"label_usd": None, "person_hour_usd": None})
    held = setting(value=value, prices=prices)
    assert lines(road(PROBE, held))["changes of behaviour"] == 0
    assert lines(road(PROBE, held))["wrong answers"] == 0


def test_cores_that_serve_are_those_of_the_price_list() -> None:
    held = setting(prices=PRICES.model_copy(update={"serving_cores": 8, "cpu_core_hour_usd": Decimal("0.10")}))
    assert lines(road(PROBE, held))["serving"] == pytest.approx(8 * 0.10 * 730 * 12)
