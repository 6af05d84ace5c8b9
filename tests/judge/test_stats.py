"""Wilson's interval, two independent shares and Holm's correction, against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tailtune.judge.stats import holm, parted, wilson


@pytest.mark.parametrize(
    ("right", "rows"), [(0, 1), (1, 1), (0, 10), (10, 10), (1, 10), (5, 10), (81, 263), (931, 1000), (9999, 10_000)]
)
def test_wilson_is_scipys(right: int, rows: int) -> None:
    found, known = wilson(right, rows), binomtest(right, rows).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)
    assert (found.value, found.rows) == (right / rows, rows)


def test_wilson_of_a_textbook_case() -> None:
    found = wilson(81, 263)  # Newcombe (1998), table I, method 3
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_wilson_of_no_rows_is_not_a_number() -> None:
    nothing = wilson(0, 0)
    assert all(math.isnan(x) for x in (nothing.value, nothing.low, nothing.high))
    assert nothing.rows == 0


@given(st.integers(1, 5000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_wilson_holds_its_value_within_bounds_and_is_symmetric(counts: tuple[int, int]) -> None:
    right, rows = counts
    found, mirrored = wilson(right, rows), wilson(rows - right, rows)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_wilson_covers_the_truth_in_95_of_100_samples(share: float) -> None:
    """Exact, summed over every possible count; the Wald interval covers 0.97 of 200 rows in only 88 of 100."""
    rows = 200
    counts = np.arange(rows + 1)
    covered = np.array([wilson(int(right), rows).low <= share <= wilson(int(right), rows).high for right in counts])
    assert 0.93 <= float(binom.pmf(counts, rows, share)[covered].sum()) <= 0.985


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


def test_shares_part_as_newcombe_published() -> None:
    gap, p = parted(wilson(56, 70), wilson(48, 80))
    assert (gap.low, gap.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    assert p < 0.05


def test_equal_shares_do_not_part() -> None:
    gap, p = parted(wilson(90, 100), wilson(900, 1000))
    assert (gap.value, p) == (0.0, 1.0) and gap.low < 0 < gap.high
