import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import paired
from tailtune.core.records import Estimate
from tailtune.core.reports import Paired
from tailtune.judge.promote import not_answered, not_comparable, promote


def compared(value: float, low: float, high: float) -> Paired:
    return Paired(
        first="candidate",
        second="champion v3",
        difference=Estimate(value=value, low=low, high=high, rows=1000),
        only_first_right=30,
        only_second_right=10,
        p=0.002,
    )


def test_first_version_is_promoted() -> None:
    decision = promote(None, None, "better", 0.005)
    assert decision.yes and "no champion" in decision.reason


def test_better_wants_the_whole_interval_above_zero() -> None:
    assert promote(compared(0.02, 0.004, 0.036), "3", "better", 0.005).yes
    assert not promote(compared(0.02, 0.0, 0.04), "3", "better", 0.005).yes
    assert not promote(compared(0.0, 0.0, 0.0), "3", "better", 0.005).yes


def test_not_worse_wants_it_above_minus_min_effect() -> None:
    assert promote(compared(0.0, -0.004, 0.004), "3", "not-worse", 0.005).yes
    assert not promote(compared(0.0, -0.005, 0.005), "3", "not-worse", 0.005).yes
    assert not promote(compared(0.0, -0.004, 0.004), "3", "better", 0.005).yes


def test_reason_names_champion_figures_and_rule() -> None:
    reason = promote(compared(0.0021, -0.004, 0.008), "3", "better", 0.005).reason
    assert "+0.2 points against champion v3 (-0.4 to +0.8) on 1,000 test rows" in reason
    assert "`better`" in reason and "above 0" in reason


@pytest.mark.parametrize(("comparison", "champion"), [(None, "3"), (compared(0.1, 0.0, 0.2), None)])
def test_half_evidence_is_refused(comparison: Paired | None, champion: str | None) -> None:
    with pytest.raises(ValueError, match="both be given"):
        promote(comparison, champion, "better", 0.005)


@given(low=st.floats(-1, 1), width=st.floats(0, 1), effect=st.floats(0, 0.5, exclude_max=True))
def test_what_is_better_is_also_not_worse(low: float, width: float, effect: float) -> None:
    comparison = compared(low + width / 2, low, low + width)
    if promote(comparison, "1", "better", effect).yes:
        assert promote(comparison, "1", "not-worse", effect).yes


def test_only_an_equal_split_can_be_compared() -> None:
    assert not_comparable("3", "a", "a") is None
    for then, why in (("b", "split differently"), (None, "not recorded")):
        refusal = not_comparable("3", then, "a")
        assert refusal is not None and not refusal.yes
        assert why in refusal.reason and "champion v3" in refusal.reason and "by hand" in refusal.reason


def test_a_champion_that_cannot_be_asked_is_never_beaten_and_it_is_said_what_to_do() -> None:
    refusal = not_answered("3", "small at host: does not answer", "toy")
    assert not refusal.yes
    assert "champion v3: small at host: does not answer" in refusal.reason
    assert "`tailtune register toy`" in refusal.reason and "move the alias `champion`" in refusal.reason


def test_few_rows_that_differ_are_no_clear_gain() -> None:
    """4 against 0 of 300: a bootstrap would be sure; neither the interval nor the exact test is."""
    found = paired(np.ones(300, dtype=bool), np.arange(300) >= 4, ("candidate", "champion"))
    assert found.difference.low < 0
    refused = promote(found, "1", "better", 0.005)
    assert not refused.yes and "p < 0.05" in refused.reason
    assert promote(found, "1", "not-worse", 0.005).yes
