"""What a candidate must meet, one constraint at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from judge.evidence import candidate, curve, product_targets, prompted, rung
from tailtune.core.figures import points_with_interval, short_of, usd, with_interval
from tailtune.core.records import Estimate
from tailtune.judge.constraints import (
    doubts,
    fast_enough,
    labels_lacking,
    last_doubling_gain,
    lately_gained,
    meets_with_head_room,
    needed,
    servable,
    shortcomings,
    usable_enough,
    usd_between,
    validity,
)
from tailtune.judge.shares import share_of

TARGETS = product_targets(0.94, head_room=1.5, min_effect=0.005, min_train_rows=5000)


def test_head_room_divides_the_allowed_error() -> None:
    assert needed(TARGETS) == pytest.approx(0.96)
    assert needed(product_targets(0.94, head_room=1)) == pytest.approx(0.94)


@pytest.mark.parametrize(
    ("value", "low", "meets"), [(0.96, 0.94, True), (0.959, 0.95, False), (0.97, 0.939, False), (0.99, 0.98, True)]
)
def test_head_room_wants_the_value_and_the_low_end(value: float, low: float, meets: bool) -> None:
    assert meets_with_head_room(Estimate(value=value, low=low, high=1, rows=9), TARGETS) is meets


def test_a_gain_is_scaled_to_a_doubling() -> None:
    assert last_doubling_gain(curve((100, 0.5), (200, 0.6))) == pytest.approx(0.1)
    assert last_doubling_gain(curve((9, 0.1), (100, 0.5), (400, 0.6))) == pytest.approx(0.05)
    assert last_doubling_gain(curve((100, 0.6), (200, 0.5))) == pytest.approx(-0.1)


@pytest.mark.parametrize("points", [(), ((100, 0.5),), ((2, 0.5), (2, 0.6))])
def test_a_curve_without_a_step_has_no_gain(points: tuple[tuple[int, float], ...]) -> None:
    assert last_doubling_gain(curve(*points)) is None


def test_without_a_target_or_a_timing_everybody_is_fast_enough() -> None:
    tight = replace(TARGETS, p99_ms=10.0)
    assert fast_enough(rung("probe", 0.5, p99_ms=1e9), TARGETS)
    assert fast_enough(candidate("probe", 0.9).model_copy(update={"latency": None}), tight)
    assert [fast_enough(rung("probe", 0.9, p99_ms=ms), tight) for ms in (10.0, 10.01)] == [True, False]


def test_the_network_of_an_endpoint_counts() -> None:
    """Its own work of 200 ms would be fast enough."""
    assert not fast_enough(prompted(0.99, p99_ms=310), replace(TARGETS, p99_ms=300.0))


def test_unusable_answers_are_counted_with_an_interval() -> None:
    found = prompted(0.97, invalid_rows=20)
    assert validity(found) == share_of(980, 1000)
    strict = replace(TARGETS, validity=0.99)
    assert usable_enough(found, TARGETS) and not usable_enough(found, strict)
    assert usable_enough(prompted(0.97, invalid_rows=10), strict)
    assert usable_enough(rung("probe", 0.9), replace(strict, validity=1.0))


def test_what_is_missed_is_said_all_of_it() -> None:
    strict = replace(TARGETS, validity=0.99, p99_ms=300.0)
    found = prompted(0.97, invalid_rows=20)
    assert not servable(found, strict)
    assert shortcomings(found, strict) == (
        "its p99 800.00 ms misses 300 ms and only 98.0 % of its answers can be used, 99.0 % must be"
    )
    assert servable(rung("probe", 0.5), strict) and shortcomings(rung("probe", 0.5), strict) == ""


@pytest.mark.parametrize(("rows", "gain", "lacks"), [(4999, 0.006, True), (5000, 0.006, False), (4999, 0.005, False)])
def test_labels_lack_when_they_are_few_and_more_would_help(rows: int, gain: float, lacks: bool) -> None:
    assert bool(labels_lacking(rows, curve((rows, 0.8), (rows * 2, 0.8 + gain - 1e-12)), TARGETS)) is lacks
    assert labels_lacking(rows, (), TARGETS) == ""


def test_two_steps_speak_where_there_are_two() -> None:
    """Of a curve that climbs, one step may read as a loss by chance; a quarter of the sample tickets did."""
    climbing = curve((276, 0.595), (552, 0.720), (1104, 0.788), (2208, 0.781))
    assert lately_gained(climbing) == pytest.approx(0.0305)
    assert lately_gained(climbing[-2:]) == pytest.approx(-0.007)
    assert lately_gained(climbing[-1:]) is None
    targets = product_targets(0.95, min_train_rows=5000)
    text = labels_lacking(2208, climbing, targets)
    assert "the last two doublings of labels still gained +3.0 points each" in text or "+3.1 points each" in text
    flat = curve((276, 0.60), (552, 0.78), (1104, 0.781), (2208, 0.782))
    assert labels_lacking(2208, flat, targets) == ""


def test_an_estimate_is_shown_in_percent() -> None:
    assert with_interval(Estimate(value=0.931, low=0.922, high=0.939, rows=10)) == "93.1 % (92.2–93.9)"
    assert points_with_interval(Estimate(value=0.0123, low=-0.004, high=0.021, rows=10)) == "+1.2 points (−0.4 to +2.1)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (0.00123, "$0.0012"), (0.02, "$0.020"), (0.5, "$0.50"), (3.2, "$3.20"), (99.4, "$99.40"),
     (99.5, "$100"), (1240.4, "$1,240"), (-3.2, "−$3.20")],
)  # fmt: skip
def test_dollars(value: float, text: str) -> None:
    assert usd(value) == text


def test_an_interval_of_dollars() -> None:
    assert usd_between(Estimate(value=5, low=-310.2, high=11930, rows=1)) == "$5.00 (−$310 to $11,930)"


@pytest.mark.parametrize(("validity", "is_doubt"), [(0.979, True), (0.98, True), (0.95, False), (1.0, False)])
def test_a_validity_that_is_just_reached_is_a_doubt(validity: float, is_doubt: bool) -> None:
    words = doubts(rung("probe", 0.97, invalid_rows=0 if validity == 1 else 20), product_targets(validity=validity))
    assert bool(words) == is_doubt


@pytest.mark.parametrize(
    ("target", "head_room", "right", "rows"), [(0.91, 1.5, 282, 300), (0.9, 1.2, 55, 60), (0.94, 1.5, 96, 100)]
)
def test_a_rung_that_shows_exactly_what_is_needed_shows_it(
    target: float, head_room: float, right: int, rows: int
) -> None:
    assert right / rows >= needed(product_targets(target, head_room=head_room))
    assert (right - 1) / rows < needed(product_targets(target, head_room=head_room))


def test_what_is_just_missed_is_not_said_to_miss_itself() -> None:
    found = rung("probe", 0.97, invalid_rows=1).model_copy(update={"metrics": {"accuracy": share_of(2910, 3000)}})
    assert shortcomings(found, product_targets(validity=1.0)).endswith("can be used, 100.0 % must be")
    close = found.model_copy(update={"invalid_rows": 31})
    assert shortcomings(close, product_targets(validity=0.99)) == (
        "only 99.0 % of its answers can be used, under 0.1 points short of 99.0 %"
    )
    assert short_of(0.9396, 0.94) == "under 0.1 points short of 94.0 %" and short_of(0.93, 0.94) == "short of 94.0 %"
