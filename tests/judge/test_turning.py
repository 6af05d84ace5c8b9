"""Turning points are where the rule turns, in a few digits that were tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import setting
from tailtune.core.reports import Verdict
from tailtune.judge.cadence import Cadence
from tailtune.judge.economy import Setting
from tailtune.judge.turning import seldom_line, turning_points


@given(st.floats(10, 1e6), st.floats(10, 1e6))
def test_a_threshold_is_found_from_either_side(at: float, now: float) -> None:
    held = setting(now, error_usd=None)
    lines = turning_points(held, lambda other: "fine-tune" if (other.value.requests_per_day or 0) >= at else "stay")
    reachable = max(at / now, now / at) < 900
    if lines:
        (line,) = lines
        found = float(line.split()[1].replace(",", ""))
        assert (found >= at) == ("the fine-tune wins" in line) == (now < at)
        assert abs(found - at) <= 0.12 * at + 1
    else:
        assert not reachable


def test_what_never_turns_is_not_told() -> None:
    assert turning_points(setting(), lambda other: "stay") == []
    assert turning_points(setting(), lambda other: "not-yet") == []


def test_the_cost_of_an_error_turns_too() -> None:
    lines = turning_points(setting(), lambda other: "fine-tune" if (other.value.error_usd or 0) > 0.11 else "stay")
    assert lines == ["with an error worth $0.12 instead of $0.020 the fine-tune wins"]


def test_a_range_in_between_is_told_as_well_as_what_is_behind_it() -> None:
    def ask(other: Setting) -> Verdict:
        per_day = other.value.requests_per_day or 0
        return "stay" if per_day < 20_000 else "not-yet" if per_day < 50_000 else "fine-tune"

    assert turning_points(setting(10_000, error_usd=None), ask) == [
        "at 20,000 requests a day it is not yet time; you have 10,000",
        "at 50,000 requests a day the fine-tune wins; you have 10,000",
    ]


def test_a_cadence_that_is_only_seen_and_turned_the_verdict_is_named() -> None:
    def ask(other: Setting) -> Verdict:
        return "stay" if (other.cadence_days or 999) < 30 else "fine-tune"

    (line,) = seldom_line(Cadence(None, 7), setting(cadence_days=7), ask)
    assert line.startswith("declaring value.change_every_days: the change every 7 days that git shows is reckoned with")
    assert seldom_line(Cadence(7, 7), setting(cadence_days=7), ask) == [], "declared: nobody has to be told"
    assert seldom_line(Cadence(None, 60), setting(cadence_days=60), ask) == [], "it turned nothing"
    assert seldom_line(Cadence(), setting(cadence_days=None), ask) == []
