"""Holm's correction against a worked example, its definition, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.judge.corrections import holm

P = st.lists(st.floats(0, 1), max_size=12)


def test_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_none_and_one_comparison() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


@given(P)
def test_what_is_rejected_is_what_the_step_down_procedure_rejects(p: list[float]) -> None:
    adjusted, level = holm(p), 0.05
    order = sorted(range(len(p)), key=lambda at: p[at])
    rejected = set()
    for rank, place in enumerate(order):
        if (len(p) - rank) * p[place] > level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(adjusted) if value <= level} == rejected


@given(P)
def test_order_is_kept_and_nothing_becomes_smaller(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    ranked = [after for _, after in sorted(zip(p, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_the_family_errs_with_the_level_it_is_held_against() -> None:
    """Six true null hypotheses: uncorrected, 26 of 100 families would hold a false alarm."""
    drawn = np.random.default_rng(4).random((2000, 6))
    alarms = np.mean([min(holm(list(row))) <= 0.05 for row in drawn])
    assert 0.03 <= alarms <= 0.065


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1"):
        holm([0.5, bad])
