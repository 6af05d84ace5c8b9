import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import paired
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import Paired
from tailtune.judge.counted import Counted
from tailtune.judge.intervals import least_difference
from tailtune.judge.looks import look
from tailtune.judge.promote import Compared, Rule, not_answered, not_comparable, promote


def compared(
    value: float, low: float, high: float, number: int = 1, p: float = 0.002, net: Estimate | None = None
) -> Compared:
    """Of 1,000 rows; the candidate may be as far behind as `low` says."""
    gap = Estimate(value=value, low=low, high=high, rows=1000)
    paired = Paired(
        first="candidate", second="champion v3", difference=gap, only_first_right=30, only_second_right=10, p=p
    )
    return Compared(champion="3", paired=paired, look=look(number), least=low, net=net)


def gate(first: np.ndarray, second: np.ndarray, rule: Rule, number: int = 1, margin: float = 0.01) -> Decision:
    ours, theirs, at = Counted.shares(first), Counted.shares(second), look(number)
    judged = paired(first, second, ("candidate", "champion"))
    least = least_difference(ours, theirs, None, 2 * at.error)
    return promote(Compared(champion="1", paired=judged, look=at, least=least), rule, margin)


def test_first_version_is_promoted() -> None:
    decision = promote(None, "better", 0.01)
    assert decision.yes and "no champion" in decision.reason


def test_better_wants_the_whole_interval_above_zero() -> None:
    assert promote(compared(0.02, 0.004, 0.036), "better", 0.01).yes
    assert not promote(compared(0.02, 0.0, 0.04), "better", 0.01).yes
    assert not promote(compared(0.0, 0.0, 0.0), "better", 0.01).yes


def test_a_gain_that_the_first_look_shows_is_not_enough_for_the_twentieth() -> None:
    assert promote(compared(0.02, 0.004, 0.036, number=1, p=0.01), "better", 0.01).yes
    refused = promote(compared(0.02, 0.004, 0.036, number=20, p=0.01), "better", 0.01)
    assert not refused.yes and "p < 0.0021" in refused.reason
    assert "look 20 of this test set, fresh test rows advised" in refused.reason
    assert "advised" not in promote(compared(0.02, 0.004, 0.036, number=19), "better", 0.01).reason


def test_not_worse_wants_it_above_minus_the_margin() -> None:
    assert promote(compared(0.0, -0.009, 0.009), "not-worse", 0.01).yes
    assert not promote(compared(0.0, -0.01, 0.01), "not-worse", 0.01).yes
    assert not promote(compared(0.0, -0.009, 0.009), "better", 0.01).yes


def test_what_old_rows_hide_may_show_on_the_newest_audited_ones() -> None:
    hidden, shown = compared(0.004, -0.003, 0.011, p=0.2), compared(0.06, 0.03, 0.09, p=0.001)
    won = promote(hidden, "better", 0.01, shown)
    assert won.yes and won.reason.startswith("better on what is asked now: on the newest audited rows +6.0 points")
    assert promote(hidden, "better", 0.01, hidden).reason.count("look 1 of this test set") == 2
    worse = compared(-0.02, -0.03, -0.01, p=0.001)
    assert not promote(worse, "better", 0.01, shown).yes, "what is worse on all rows is not promoted"
    assert not promote(hidden, "not-worse", 0.001, shown).yes, "that rule has a way of its own"


def test_rows_that_cannot_show_it_are_said_with_how_many_would() -> None:
    refused = promote(compared(0.0, -0.024, 0.018), "not-worse", 0.01)
    assert not refused.yes
    assert "it may be up to 2.4 points worse, the rule `not-worse` allows 1.0 (targets.margin)" in refused.reason
    assert "1,000 test rows cannot show it, about 11,000 would if both are equally good" in refused.reason


def test_so_many_rows_do_show_it() -> None:
    random = np.random.default_rng(8)

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:
        hard, luck = random.standard_normal(rows), random.standard_normal((2, rows))
        first, second = (0.92 * hard + 0.39 * each < 1.28 for each in luck)
        return first, second

    small = gate(*drawn(1000), "not-worse")
    rows = int(small.reason.split("about ")[1].split(" would")[0].replace(",", ""))
    assert not small.yes and 5_000 < rows < 20_000
    assert np.mean([gate(*drawn(rows), "not-worse").yes for _ in range(40)]) > 0.6


def test_what_is_worse_is_called_worse() -> None:
    refused = promote(compared(-0.03, -0.05, -0.01), "not-worse", 0.01)
    assert not refused.yes and "it is worse" in refused.reason and "cannot show" not in refused.reason


@pytest.mark.parametrize(("value", "yes"), [(900.0, True), (-40.0, False)])
def test_within_the_margin_dollars_decide_and_the_dearer_is_named(value: float, yes: bool) -> None:
    net = Estimate(value=value, low=value - 500, high=value + 500, rows=1000)
    decision = promote(compared(0.0, -0.008, 0.008, net=net), "not-worse", 0.01)
    assert decision.yes is yes
    dearer = "champion v3" if yes else "the candidate"
    assert f"{dearer} is the dearer over 12 months, wrong answers included" in decision.reason
    assert ("its net value blocks it" in decision.reason) is not yes


@pytest.mark.parametrize("rule", ["better", "not-worse"])
def test_what_cannot_be_measured_promotes_nobody(rule: Rule) -> None:
    assert not promote(compared(np.nan, np.nan, np.nan), rule, 0.01).yes


def test_dollars_do_not_make_up_for_rows_that_are_too_few() -> None:
    net = Estimate(value=900, low=400, high=1400, rows=1000)
    refused = promote(compared(0.0, -0.024, 0.018, net=net), "not-worse", 0.01)
    assert not refused.yes and "cannot show it" in refused.reason and "champion v3 is the dearer" in refused.reason


def test_reason_names_champion_figures_and_rule() -> None:
    reason = promote(compared(0.0021, -0.004, 0.008), "better", 0.01).reason
    assert "+0.2 points against champion v3 (−0.4 to +0.8) on 1,000 test rows" in reason
    assert "`better`" in reason and "above 0" in reason and "look 1 of this test set" in reason


@given(low=st.floats(-1, 1), width=st.floats(0, 1), effect=st.floats(0.001, 0.5, exclude_max=True))
def test_what_is_better_is_also_not_worse(low: float, width: float, effect: float) -> None:
    comparison = compared(low + width / 2, low, low + width)
    if promote(comparison, "better", effect).yes:
        assert promote(comparison, "not-worse", effect).yes


def test_only_an_equal_split_can_be_compared() -> None:
    assert not_comparable("3", True) is None
    for alike, why in ((False, "split differently"), (None, "not recorded")):
        refusal = not_comparable("3", alike)
        assert refusal is not None and not refusal.yes
        assert why in refusal.reason and "champion v3" in refusal.reason and "by hand" in refusal.reason


def test_a_champion_that_cannot_be_asked_is_never_beaten_and_it_is_said_what_to_do() -> None:
    refusal = not_answered("3", "small at host: does not answer", "toy")
    assert not refusal.yes
    assert "champion v3: small at host: does not answer" in refusal.reason
    assert "`tailtune register toy`" in refusal.reason and "move the alias `champion`" in refusal.reason


def test_few_rows_that_differ_are_no_clear_gain() -> None:
    """4 against 0 of 300: a bootstrap would be sure; neither the interval nor the exact test is."""
    first, second = np.ones(300, dtype=bool), np.arange(300) >= 4
    assert paired(first, second, ("candidate", "champion")).difference.low < 0
    assert not gate(first, second, "better").yes
    more, fewer = np.ones(1000, dtype=bool), np.arange(1000) >= 4
    assert gate(more, fewer, "not-worse").yes


def test_one_row_lost_of_300_does_not_show_that_a_point_is_not() -> None:
    """Where 1 of 100 rows is lost, 300 rows lose one or none in a fifth of all cases."""
    first, second = np.arange(300) >= 1, np.ones(300, dtype=bool)
    assert not gate(first, second, "not-worse").yes
    assert not gate(second, second, "not-worse").yes  # nor when none is
    assert gate(np.ones(1000, dtype=bool), np.ones(1000, dtype=bool), "not-worse").yes


def test_a_difference_is_written_as_everywhere_else() -> None:
    same = promote(compared(-0.0001, -0.01, 0.01), "better", 0.01).reason
    assert "±0.0 points against champion v3 (−1.0 to +1.0)" in same
    unmeasured = promote(compared(math.nan, math.nan, math.nan), "better", 0.01).reason
    assert "n/a points against champion v3" in unmeasured and "nan" not in unmeasured
