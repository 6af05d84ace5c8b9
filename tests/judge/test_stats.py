"""Intervals and paired tests against scipy, brute force and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tailtune.judge.stats import (
    f1,
    holm,
    mcnemar,
    paired,
    paired_counts,
    parted,
    percentile_interval,
    row_bootstrap,
    wilson,
)


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


def brute_force(first: np.ndarray, second: np.ndarray, resamples: int = 4000) -> tuple[float, float]:
    random = np.random.default_rng(5)
    gaps = first.astype(float) - second.astype(float)
    means = gaps[random.integers(0, gaps.size, size=(resamples, gaps.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def test_the_paired_interval_is_that_of_resampled_rows() -> None:
    random = np.random.default_rng(3)
    second = random.random(400) < 0.8
    first = np.where(random.random(400) < 0.12, ~second, second) | (random.random(400) < 0.05)
    found = paired(first, second, ("ours", "theirs"), resamples=4000)
    low, high = brute_force(first, second)
    assert found.difference.value == pytest.approx(first.mean() - second.mean())
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.006)
    assert (found.first, found.second, found.difference.rows) == ("ours", "theirs", 400)


def test_pairing_is_used_not_two_separate_samples() -> None:
    """Two predictors that differ on 12 rows only: unpaired intervals of ±4 points would hide the difference."""
    second = np.array([True] * 320 + [False] * 80)
    first = second.copy()
    first[320:332] = True
    found = paired(first, second, ("a", "b"))
    assert found.difference.value == pytest.approx(0.03)
    assert found.difference.low > 0.01
    assert found.difference.high < 0.05
    assert (found.only_first_right, found.only_second_right) == (12, 0)
    assert found.mcnemar_p == pytest.approx(2 * 0.5**12)


def test_the_paired_interval_covers_the_truth() -> None:
    """200 simulated test sets with a true difference of 6 points: about 190 intervals hold it."""
    random = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        kind = random.choice(3, size=300, p=[0.11, 0.05, 0.84])
        found = paired(kind == 0, kind == 1, ("a", "b"), resamples=500).difference
        covered += found.low <= 0.06 <= found.high
    assert 178 <= covered <= 199


def test_equal_answers_differ_by_nothing_for_sure() -> None:
    same = np.array([True, False, True])
    found = paired(same, same, ("a", "b"))
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.mcnemar_p == 1


@pytest.mark.parametrize(("first", "second"), [((3,), (4,)), ((0,), (0,))])
def test_rows_that_cannot_be_paired_are_refused(first: tuple[int], second: tuple[int]) -> None:
    with pytest.raises(ValueError, match="paired needs two equal, non-empty rows"):
        paired(np.zeros(first, bool), np.zeros(second, bool), ("a", "b"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_paired_knows_no_order_and_turns_its_sign(pairs: list[tuple[bool, bool]], random: object) -> None:
    def run(rows: list[tuple[bool, bool]], swap: bool = False):
        first, second = (np.array([row[i] for row in rows], dtype=bool) for i in (0, 1))
        return paired(*((second, first) if swap else (first, second)), ("a", "b"), resamples=300)

    found = run(pairs)
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert run(shuffled) == found
    turned = run(pairs, swap=True)
    assert turned.difference.value == pytest.approx(-found.difference.value)
    assert turned.mcnemar_p == pytest.approx(found.mcnemar_p)
    assert -1 <= found.difference.low <= found.difference.value <= found.difference.high <= 1
    assert 0 <= found.mcnemar_p <= 1


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (0, 5), (12, 3), (40, 41), (7, 7)])
def test_mcnemar_is_the_exact_binomial(first: int, second: int) -> None:
    discordant = first + second
    tail = sum(math.comb(discordant, k) for k in range(min(first, second) + 1)) / 2**discordant
    assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail))


def test_a_percentile_interval_holds_its_value_and_skips_what_is_not_a_number() -> None:
    samples = np.array([*np.linspace(0, 1, 1001), np.nan])
    found = percentile_interval(0.5, samples, 9)
    assert (found.low, found.high, found.rows) == (pytest.approx(0.025), pytest.approx(0.975), 9)
    assert percentile_interval(2.0, samples, 9).high == 2.0
    assert percentile_interval(-1.0, samples, 9).low == -1.0


def some_counts(random: np.random.Generator, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    counts = random.integers(0, 4, size=(rows, 3))
    return counts, (counts[:, 1:] == 0).all(axis=1)


def test_a_difference_of_f1_by_hand() -> None:
    """First: 3 right, 1 wrong, 1 missed, F1 = 6 / 8; second: 2 right, 2 wrong, 2 missed, F1 = 4 / 8."""
    first = (np.array([[2, 0, 0], [1, 1, 1]]), np.array([True, False]))
    second = (np.array([[1, 1, 1], [1, 1, 1]]), np.array([False, False]))
    found = paired_counts(first, second, ("a", "b"))
    assert found.difference.value == pytest.approx(6 / 8 - 4 / 8)
    assert (found.first, found.second, found.metric) == ("a", "b", "field_f1")
    assert (found.only_first_right, found.only_second_right, found.mcnemar_p) == (1, 0, 1)
    assert found.difference.low == pytest.approx(0)  # both resampled rows are the one where the two are equal
    assert found.difference.high == pytest.approx(0.5)


def test_swapping_two_predictors_negates_their_difference() -> None:
    random = np.random.default_rng(5)
    first, second = some_counts(random), some_counts(random)
    one, two = paired_counts(first, second, ("a", "b")), paired_counts(second, first, ("b", "a"))
    assert one.difference.value == pytest.approx(-two.difference.value)
    assert one.difference.low == pytest.approx(-two.difference.high)
    assert one.difference.high == pytest.approx(-two.difference.low)
    assert one.mcnemar_p == two.mcnemar_p
    assert (one.only_first_right, one.only_second_right) == (two.only_second_right, two.only_first_right)


def test_equal_counts_differ_by_nothing_for_sure() -> None:
    same = some_counts(np.random.default_rng(6))
    found = paired_counts(same, same, ("a", "b")).difference
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_by_row_is_surer_than_two_intervals() -> None:
    """Two predictors that miss the same hard rows: what they share does not blur their difference."""
    random = np.random.default_rng(7)
    hard = random.random(400) < 0.5
    missed = np.where(hard, 5, 0)
    slip = (random.random(400) < 0.1).astype(int)
    first = (np.stack([6 - missed, missed, missed], axis=1), ~hard)
    second = (np.stack([6 - missed - slip, missed + slip, missed + slip], axis=1), ~hard & (slip == 0))
    gap = paired_counts(first, second, ("a", "b")).difference
    assert gap.low > 0
    assert gap.high - gap.low < 0.02


@pytest.mark.parametrize(("first", "second"), [(3, 4), (0, 0)])
def test_counts_that_cannot_be_paired_are_refused(first: int, second: int) -> None:
    def made(rows: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((rows, 3), int), np.zeros(rows, bool)

    with pytest.raises(ValueError, match="paired_counts needs two equal, non-empty rows"):
        paired_counts(made(first), made(second), ("a", "b"))


def test_resampled_sums_are_those_of_rows_drawn_with_replacement() -> None:
    columns = np.array([[1, 10], [2, 20], [4, 40]])
    sums = row_bootstrap(columns, 4000, seed=1)
    assert sums.shape == (4000, 2)
    assert (sums[:, 1] == 10 * sums[:, 0]).all(), "a row's columns stay together"
    assert sums[:, 0].mean() == pytest.approx(7, abs=0.1)
    assert sums[:, 0].var() == pytest.approx(3 * np.var([1, 2, 4]), rel=0.1)
    assert np.array_equal(sums, row_bootstrap(columns, 4000, seed=1))


def test_blocks_of_resamples_hold_all_rows() -> None:
    """More rows than one block draws at once: each resample still has as many rows as there are."""
    sums = row_bootstrap(np.ones((600_000, 1), dtype=np.int64), 3, seed=2)
    assert sums.tolist() == [[600_000.0]] * 3


def test_f1_of_nothing_is_not_a_number() -> None:
    found = f1(np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 0.0]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0.5, 0.0]


def test_a_value_that_is_not_a_number_has_no_interval() -> None:
    found = percentile_interval(math.nan, np.array([math.nan, math.nan]), 4)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.rows == 4


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
