"""Cost of ownership: nothing is left out, lines pass through the declared total, and a loss is called a cost."""

from __future__ import annotations

import math

import pytest

from tailtune.core.records import Estimate, Serving
from tailtune.core.reports import Economics
from tailtune.report.verdict import costs_by_volume, over, side_by_side, value_sentences

from . import lives


def of(life: object) -> Economics:
    assert callable(life)
    found = life()["decide"].economics
    assert isinstance(found, Economics)
    return found


@pytest.mark.parametrize("life", [lives.stay, lives.tune, lives.extraction])
def test_every_line_of_every_road_is_shown_and_adds_up(life: object) -> None:
    found = of(life)
    rows = side_by_side(found)
    for place, candidate in enumerate(found.candidates):
        shown = [line for row in rows if (line := row.lines[place]) is not None]
        assert sorted(line.what for line in shown) == sorted(line.what for line in candidate.lines)
        assert math.isclose(sum(line.usd or 0 for line in shown), candidate.total_usd or -1)
    assert {row.what: row.hidden for row in rows}["tokens"] is False
    assert {row.what: row.hidden for row in rows}["labels"] is True


@pytest.mark.parametrize("life", [lives.stay, lives.tune, lives.extraction])
def test_a_roads_line_passes_through_its_total_and_crosses_where_they_break_even(life: object) -> None:
    found = of(life)
    lines = costs_by_volume(found)
    assert len(lines) == 2
    assert found.requests_per_day is not None and found.break_even_per_day is not None
    for line in lines:
        assert math.isclose(line.at(found.requests_per_day), line.candidate.total_usd or -1)
    first, second = (line.at(found.break_even_per_day.value) for line in lines)
    assert math.isclose(first, second)


def test_a_road_of_unknown_cost_has_no_line() -> None:
    assert [line.candidate.name for line in costs_by_volume(of(lives.not_yet))] == ["lora"]


def test_without_a_volume_the_price_of_a_request_is_the_slope() -> None:
    found = of(lives.tune)
    candidates = tuple(candidate.model_copy(update={"total_usd": None}) for candidate in found.candidates)
    bare = found.model_copy(update={"requests_per_day": None, "candidates": candidates})
    for given, line in zip(costs_by_volume(found), costs_by_volume(bare), strict=True):
        assert math.isclose(given.slope_usd, line.slope_usd)
    assert over(bare) == "over 12 months"


def _sentences(value: float, low: float, high: float, even: Estimate | None = None) -> list[str]:
    net = Estimate(value=value, low=low, high=high, rows=9)
    return list(
        value_sentences(
            of(lives.tune).model_copy(update={"net_value": net, "probability": None, "break_even_per_day": even})
        )
    )


def test_a_gain_a_loss_and_a_doubt_are_told_differently() -> None:
    assert _sentences(900, 500, 1300) == [
        "Over 12 months at 6,000 requests a day, the fine-tune is worth $900 more than going on without it "
        "(95 % interval $500 to $1,300)."
    ]
    lost, doubtful = _sentences(-900, -1300, -500)[0], _sentences(-900, -5000, 300)[0]
    assert "a fine-tune costs $900 more than going on without one (95 % interval $500 to $1,300)" in lost
    assert "costs $900 more than going on without one (its worth: 95 % interval −$5,000 to $300)" in doubtful
    assert _sentences(math.nan, math.nan, math.nan) == []


def test_a_fine_tune_that_is_not_trained_is_told_as_what_it_is_taken_for() -> None:
    found = of(lives.tune)
    candidates = tuple(
        candidate.model_copy(update={"quality": None} if candidate.name == "lora" else {})
        for candidate in found.candidates
    )
    for value, text in ((900.0, "is worth $900 more"), (-900.0, "costs $900 more")):
        net = Estimate(value=value, low=value - 9, high=value + 9, rows=9)
        line = next(iter(value_sentences(found.model_copy(update={"candidates": candidates, "net_value": net}))))
        assert f"a fine-tune that just reaches the target {text}" in line


@pytest.mark.parametrize(
    ("value", "high", "expected"),
    [
        (
            617.0,
            802.0,
            "From 617 requests a day (95 % interval 494 to 802) the fine-tune costs less in all; you have 6,000.",
        ),
        (617.0, math.inf, "(95 % interval 494 to no volume)"),
        (math.nan, math.nan, "At no volume does the fine-tune cost less."),
        (-3.0, 10.0, "The fine-tune costs less at any volume."),
        (0.2, 10.0, "The fine-tune costs less at any volume."),
    ],
)
def test_the_break_even_volume_is_told(value: float, high: float, expected: str) -> None:
    even = Estimate(value=value, low=494.0, high=high, rows=9)
    assert expected in _sentences(math.nan, math.nan, math.nan, even)[0]


def _volumes(start: float, until: float | None, have: float | None = 6000) -> str:
    def around(value: float) -> Estimate:
        return Estimate(value=value, low=value * 0.8, high=value * 1.3, rows=9)

    ends = {"break_even_per_day": around(start), "cheaper_until_per_day": None if until is None else around(until)}
    found = of(lives.tune).model_copy(update={"net_value": None, "requests_per_day": have, **ends})
    return next(iter(value_sentences(found)))


def test_cheaper_below_and_between_are_said_as_that() -> None:
    assert _volumes(0, 12_000) == (
        "Below 12,000 requests a day (95 % interval 9,600 to 15,600) the fine-tune costs less in all; you have 6,000."
    )
    assert _volumes(1_000, 12_000, None) == (
        "Between 1,000 requests a day (95 % interval 800 to 1,300) and 12,000 requests a day (95 % interval 9,600 to "
        "15,600) the fine-tune costs less in all."
    )


def test_cores_make_a_staircase_that_passes_through_the_total() -> None:
    found = of(lives.tune)
    tuned = found.candidates[-1]
    serving = Serving(least=2, per_core=1_500, core_usd=350.4)  # 4 of them at 6,000 requests a day
    more = (4 - 2) * 350.4
    stepped = tuned.model_copy(
        update={
            "serving": serving,
            "monthly_usd": (tuned.monthly_usd or 0) + more / 12,
            "total_usd": (tuned.total_usd or 0) + more,
        }
    )
    line = costs_by_volume(found.model_copy(update={"candidates": (found.candidates[0], stepped)}))[-1]
    assert math.isclose(line.at(6_000), stepped.total_usd or -1)
    assert math.isclose(line.at(6_001) - line.at(6_000), 350.4, rel_tol=0.01)
    corners = line.corners(6_500)
    assert [round(at) for at, _ in corners] == [0, 3_000, 3_000, 4_500, 4_500, 6_000, 6_000, 6_500]
    steps = [top - foot for (_, foot), (_, top) in zip(corners[1:-1:2], corners[2:-1:2], strict=True)]
    assert all(math.isclose(step, 350.4, rel_tol=1e-3) for step in steps)
    assert len(line.corners(1_000_000)) <= 42
