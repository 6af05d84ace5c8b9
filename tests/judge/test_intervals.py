"""Intervals of measures and differences, and the paired test: by hand, against scipy, and by simulation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tailtune.judge.counted import Counted
from tailtune.judge.intervals import difference, hidden_variance, interval, least_difference, swap_test
from tailtune.judge.shares import at_level, share_of

ROWS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def right(*rows: bool) -> Counted:
    return Counted.shares(np.array(rows, dtype=bool))


def columns(rows: list[tuple[bool, bool]]) -> tuple[Counted, Counted]:
    return right(*(row[0] for row in rows)), right(*(row[1] for row in rows))


@pytest.mark.parametrize(("hits", "rows"), [(0, 1), (1, 1), (60, 60), (5, 10), (931, 1000), (9999, 10_000)])
def test_a_share_has_the_exact_interval(hits: int, rows: int) -> None:
    found, known = share_of(hits, rows), binomtest(hits, rows).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-9)
    measured = interval(right(*[True] * hits, *[False] * (rows - hits)))
    assert (measured.low, measured.high, measured.worth_rows) == (found.low, found.high, rows)


def test_no_rows_are_not_a_number() -> None:
    assert all(math.isnan(end) for end in (share_of(0, 0).value, share_of(0, 0).low, share_of(0, 0).high))


def test_rows_of_a_group_that_answer_alike_count_as_one() -> None:
    """200 rows in 20 groups that are wholly right or wholly wrong are worth about 20 rows."""
    groups = np.repeat(np.arange(20), 10)
    found = interval(Counted.shares(groups % 4 > 0), groups)
    assert found.groups == 20
    assert found.worth_rows == pytest.approx(17, abs=2)
    alone = interval(Counted.shares(groups % 4 > 0))
    assert found.high - found.low > 2.5 * (alone.high - alone.low)


def test_groups_that_are_all_right_are_worth_a_row_each() -> None:
    groups = np.repeat(np.arange(30), 5)
    assert interval(Counted.shares(np.ones(150, dtype=bool)), groups).worth_rows == 30


def test_another_level_is_wider() -> None:
    found = share_of(90, 100)
    assert at_level(found, 0.05) == found
    assert at_level(found, 0.005).low < found.low < found.value < found.high < at_level(found, 0.005).high
    unknown = found.model_copy(update={"worth_rows": None})
    assert at_level(unknown, 0.005) == unknown


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_difference_turns_its_sign_and_knows_no_order(rows: list[tuple[bool, bool]]) -> None:
    first, second = columns(rows)
    found, turned = difference(first, second), difference(second, first)
    assert (found.low, found.value, found.high) == pytest.approx((-turned.high, -turned.value, -turned.low))
    assert -1 <= found.low <= found.value <= found.high <= 1
    backwards = difference(*columns(rows[::-1]))
    assert (backwards.low, backwards.high) == pytest.approx((found.low, found.high))


def test_equal_answers_may_still_differ_elsewhere() -> None:
    """60 rows on which two agree say little about how they compare: a percentile bootstrap would be sure."""
    same = right(*[True] * 55, *[False] * 5)
    found = difference(same, same)
    assert found.value == 0
    assert 0.03 < found.high < 0.12
    assert found.low == -found.high


@pytest.mark.parametrize(("rows", "gap", "differ"), [(60, 0.0, 0.06), (100, 0.05, 0.09), (300, 0.02, 0.06)])
def test_the_interval_of_a_difference_covers_the_truth(rows: int, gap: float, differ: float) -> None:
    random, covered = np.random.default_rng(11), 0
    for _ in range(300):
        kind = random.choice(3, size=rows, p=[(differ + gap) / 2, (differ - gap) / 2, 1 - differ])
        found = difference(Counted.shares(kind == 0), Counted.shares(kind == 1))
        covered += found.low <= gap <= found.high
    assert covered >= 0.93 * 300


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (12, 3), (40, 41)])
def test_rows_that_weigh_the_same_have_mcnemars_exact_test(only_first: int, only_second: int) -> None:
    first, second = columns([(True, False)] * only_first + [(False, True)] * only_second + [(True, True)] * 20)
    either = only_first + only_second
    assert swap_test(first, second) == (binomtest(only_first, either).pvalue if either else 1.0)


def test_a_few_rows_of_f1_are_swapped_in_every_way() -> None:
    hits, sizes = np.array([4, 6, 2, 6]), np.full(4, 8)
    other = np.array([2, 6, 4, 2])
    found = swap_test(Counted.ratio(hits, sizes), Counted.ratio(other, sizes))
    sums = [abs(sum(s * d for s, d in zip(signs, (2, -2, 4), strict=True))) for signs in product((-1, 1), repeat=3)]
    assert found == pytest.approx(np.mean([total >= 4 for total in sums]))


def test_drawn_swaps_and_a_normal_sum_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    sizes = random.integers(5, 12, 600)
    first, second = (Counted.ratio(random.binomial(sizes, share), sizes) for share in (0.915, 0.9))
    drawn = swap_test(first, second, swaps=4000)
    monkeypatch.setattr("tailtune.judge.intervals._DRAWN", 100)
    assert drawn == pytest.approx(swap_test(first, second), abs=0.03)
    assert 0 < drawn <= 1


def test_a_field_that_is_always_missed_does_not_hide_a_gain() -> None:
    """44 of 45 fields are read better, one never is: no object is wholly right, yet F1 is clearly higher."""
    random = np.random.default_rng(9)
    sizes = np.full(400, 45)
    better, worse = (random.binomial(44, share, 400) for share in (0.95, 0.9))
    first, second = Counted.ratio(better, sizes), Counted.ratio(worse, sizes)
    assert difference(first, second).low > 0.03
    assert swap_test(first, second) < 0.001


def test_a_group_is_swapped_as_a_whole() -> None:
    """Ten groups that differ the same way count as ten, however many rows they have."""
    groups = np.repeat(np.arange(10), 30)
    first, second = Counted.shares(np.ones(300, dtype=bool)), Counted.shares(np.zeros(300, dtype=bool))
    assert swap_test(first, second, groups) == pytest.approx(2 * 0.5**10)


def macro(labels: list[int], answers: list[int]) -> Counted:
    """Macro F1 over the labels that are expected."""
    known = np.unique(labels)
    expected, answered = (np.array(each)[:, None] == known for each in (labels, answers))
    return Counted.ratio(2 * (expected & answered), expected.astype(int) + answered)


def test_a_label_of_one_row_varies_too() -> None:
    """By hand: F1 of 6 / 7, of 0 and of 1; the last two have a row each, and no distance from their own value."""
    found = macro([0, 0, 0, 0, 1, 2], [0, 0, 0, 2, 0, 2])
    hits, sizes = np.array([2, 2, 2, 0, 0, 0, 0, 2]), np.array([2, 2, 2, 1, 1, 1, 1, 2])
    square = ((hits - sizes * 8 / 12) ** 2).sum() / 7
    hidden = square * (1 / 8**2 + 1 + 1 / 3**2) / 9
    assert hidden_variance(found) == pytest.approx(hidden)
    assert hidden_variance(found, found) == 0  # two that agree throughout
    assert hidden_variance(right(True, False, True)) == 0  # a single part has no parts to lose a row by


def test_what_labels_of_many_rows_hide_is_next_to_nothing() -> None:
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], 300)
    answers = np.where(random.random(900) < 0.9, labels, (labels + 1) % 3)
    found = macro(labels.tolist(), answers.tolist())
    assert 0 < hidden_variance(found) < 0.01 * float((found.influence() ** 2).sum())


def test_where_every_row_is_right_rare_labels_make_fewer_rows_of_them() -> None:
    """As many as weigh as evenly: 90 rows of a common label weigh half, and the 10 of a rare one as much."""
    labels = [0] * 90 + [1] * 10
    assert interval(macro(labels, labels)).worth_rows == pytest.approx(1 / (0.5**2 / 90 + 0.5**2 / 10))
    pairs = np.arange(100) // 2
    assert interval(macro(labels, labels), pairs).worth_rows == pytest.approx(1 / (0.5**2 / 45 + 0.5**2 / 5))


@pytest.mark.parametrize(("rows", "labels", "shares"), [(60, 12, (0.8, 0.78)), (100, 30, (0.95, 0.93))])
def test_macro_f1_of_rare_labels_is_covered(rows: int, labels: int, shares: tuple[float, float]) -> None:
    """Without what rare labels hide it is 87 % of the measures, and 85 % of the differences of 30 labels."""
    random, covered, runs = np.random.default_rng(13), np.zeros(2), 400
    common = 1 / np.arange(1, labels + 1)
    common /= common.sum()
    hits = [2 * common * share for share in shares]
    missed = [(1 - share) * (common + (1 - common) / (labels - 1)) for share in shares]
    truths = [float((hit / (hit + miss)).mean()) for hit, miss in zip(hits, missed, strict=True)]
    for _ in range(runs):
        expected, luck = random.choice(labels, rows, p=common), random.random(rows)
        other = (expected + random.integers(1, labels, rows)) % labels
        first, second = (macro(expected.tolist(), np.where(luck < share, expected, other).tolist()) for share in shares)
        measure, gap = interval(first), difference(first, second)
        covered += (measure.low <= truths[0] <= measure.high, gap.low <= truths[0] - truths[1] <= gap.high)
    assert (covered >= 0.92 * runs).all()  # 93 %, less a standard error


DRAWN_TESTS = 4_000


@pytest.mark.parametrize("rows", [100, 300, 600])
@pytest.mark.parametrize("error", [0.025, 0.006, 0.001])
def test_one_who_is_a_point_behind_is_seldom_thought_nearer(rows: int, error: float) -> None:
    """Also where all rows that differ, differ one way, which an interval that is read off the rows cannot foresee."""
    random = np.random.default_rng(3)
    ends: dict[int, float] = {}
    lost = random.binomial(rows, 0.01, size=DRAWN_TESTS)
    for count in np.unique(lost):
        first = Counted.shares(np.arange(rows) >= count)
        second = Counted.shares(np.ones(rows, dtype=bool))
        ends[int(count)] = least_difference(first, second, level=2 * error)
        assert ends[int(count)] <= difference(first, second, level=2 * error).low
    nearer = np.mean([ends[int(count)] > -0.01 for count in lost])
    assert nearer <= error + 3 * math.sqrt(error / DRAWN_TESTS)


@pytest.mark.parametrize(("ours", "theirs"), [(3, 4), (0, 0)])
def test_rows_that_cannot_be_paired_are_refused(ours: int, theirs: int) -> None:
    with pytest.raises(ValueError, match="two equal, non-empty sets of rows"):
        difference(right(*[True] * ours), right(*[True] * theirs))


def test_the_recall_of_a_label_rests_on_its_own_rows() -> None:
    answered = np.array([True] * 4 + [False] + [True] * 995)
    own = np.arange(1000) < 5
    recall = interval(Counted.shares(answered, own))
    assert (recall.value, recall.rows, recall) == (0.8, 5, share_of(4, 5))
    perfect = Counted.ratio(2 * own, 2 * own)
    assert interval(perfect).worth_rows == 5
    groups = np.arange(1000) // 2
    assert interval(perfect, groups).groups == 3 and interval(perfect, groups).worth_rows == 3
