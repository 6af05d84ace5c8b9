"""Confidence sequences against simulation with known truth; looks against the gates; the order against its promise."""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.evidence import product_targets
from judge.outcomes import FIELDS, drawn, drawn_pair, extracted, of_right, true_f1
from tailtune.core.records import Row
from tailtune.judge.constraints import meets_with_head_room, needed
from tailtune.judge.counted import Counted
from tailtune.judge.sequential import (
    Shares,
    difference_sequence,
    f1_high,
    f1_low,
    gap_low,
    interim_analysis,
    log_capital,
    mean_capital,
    quality_sequence,
    stratified,
)

LOOKS = range(50, 1001, 50)


@pytest.mark.parametrize("quality", [0.7, 0.97])
def test_accuracy_is_held_at_every_look_at_once(quality: float) -> None:
    """400 runs, 20 looks each; a Wilson interval looked at so often misses the truth in 20 of 100 runs."""
    random, covered = np.random.default_rng(21), 0
    for _ in range(400):
        outcomes = drawn(random, 1000, quality)
        looks = [quality_sequence(outcomes[:rows], 1) for rows in LOOKS]
        covered += all(one.low <= quality <= one.high for one in looks)
    assert covered >= 380


def test_a_ratio_of_means_is_held_at_every_look_at_once() -> None:
    random, truth, covered = np.random.default_rng(22), true_f1(0.85), 0
    for _ in range(200):
        outcomes = extracted(random, 600, 0.85)
        looks = [quality_sequence(outcomes[:rows], FIELDS) for rows in range(50, 601, 50)]
        covered += all(one.low <= truth <= one.high for one in looks)
    assert covered >= 190


def test_a_difference_is_held_at_every_look_at_once() -> None:
    random, covered = np.random.default_rng(23), 0
    for _ in range(200):
        pair = drawn_pair(random, 1000, 0.93, 0.9)
        looks = [difference_sequence(pair[0][:rows], pair[1][:rows], 1) for rows in range(100, 1001, 100)]
        covered += all(one.low <= 0.03 <= one.high for one in looks)
    assert covered >= 190


def test_a_difference_of_ratios_is_held_at_every_look_at_once() -> None:
    random, truth, covered = np.random.default_rng(24), true_f1(0.9) - true_f1(0.8), 0
    for _ in range(150):
        first, second = extracted(random, 400, 0.9), extracted(random, 400, 0.8)
        looks = [difference_sequence(first[:rows], second[:rows], FIELDS) for rows in range(100, 401, 100)]
        covered += all(one.low <= truth <= one.high for one in looks)
    assert covered >= 143


def test_it_is_no_wider_than_it_must_be() -> None:
    """At most twice as wide as the Wilson interval of the same 1,000 rows: the price of looking whenever one likes."""
    found = quality_sequence(of_right(np.arange(1000) < 900), 1)
    assert 0.0372 < found.high - found.low < 2 * 0.0372


def test_each_side_has_half_of_the_error() -> None:
    """Simulated coverage is too coarse to see a level that is twice too large; this is not."""
    first, second = drawn_pair(np.random.default_rng(3), 400, 0.9, 0.85)
    ours, theirs = (Shares(one[:, 0].astype(float), np.ones(400), np.ones(400)) for one in (first, second))
    found = quality_sequence(first, 1, 0.04)
    assert (found.low, found.high) == pytest.approx((f1_low(ours, 0.02), f1_high(ours, 0.02)))
    gap = difference_sequence(first, second, 1, 0.04)
    # 5 % of a side's 0.02 go to where the other's own quality lies, which changes nothing with one item a row.
    assert gap.low == pytest.approx(gap_low(ours, theirs, (0.0, 1.0), 0.019))
    assert gap.high == pytest.approx(-gap_low(theirs, ours, (0.0, 1.0), 0.019))


OUTCOMES = st.lists(
    st.sampled_from([(1, 0, 0), (0, 1, 1), (0, 0, 1), (0, 1, 0), (3, 1, 0), (2, 0, 2), (0, 0, 0)]),
    min_size=1,
    max_size=40,
)


def micro_f1(outcomes: np.ndarray) -> Counted:
    right, wrong, missed = outcomes.T
    return Counted.ratio(2 * right, 2 * right + wrong + missed)


@settings(max_examples=80, deadline=None)
@given(OUTCOMES, OUTCOMES)
def test_the_value_is_micro_f1_within_its_interval(first: list[tuple[int, ...]], second: list[tuple[int, ...]]) -> None:
    rows = min(len(first), len(second))
    one, two = np.array(first[:rows]), np.array(second[:rows])
    found, gap = quality_sequence(one, 4), difference_sequence(one, two, 4)
    known, other = (micro_f1(each).value for each in (one, two))
    assert found.value == pytest.approx(known, nan_ok=True)
    assert math.isnan(known) or 0 <= found.low <= found.value <= found.high <= 1
    if not math.isnan(gap.value):
        assert gap.value == pytest.approx(known - other)
        assert -1 <= gap.low <= gap.value <= gap.high <= 1
        turned = difference_sequence(two, one, 4)
        assert (turned.low, turned.high) == pytest.approx((-gap.high, -gap.low))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_with_one_item_a_row_the_other_sides_own_quality_does_not_matter(pairs: list[tuple[bool, bool]]) -> None:
    """Rows that both have right, or both wrong, pay the same bet: only right − right counts."""
    first, second = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    alike = first == second
    found = difference_sequence(of_right(first), of_right(second), 1)
    moved = difference_sequence(of_right(first & ~alike), of_right(second & ~alike), 1)
    assert (found.value, found.low, found.high) == pytest.approx((moved.value, moved.low, moved.high))
    assert found.value == pytest.approx(float(first.mean() - second.mean()))


def test_a_loose_bound_costs_certainty_and_never_the_value() -> None:
    """What a row may hold at most is all that is known of it before it is seen."""
    outcomes = of_right(np.ones(100, dtype=bool))
    tight, loose = quality_sequence(outcomes, 1), quality_sequence(outcomes, 5)
    assert tight.value == loose.value == 1
    assert loose.low < tight.low - 0.05


@pytest.mark.parametrize(("right", "rows"), [(True, 1), (False, 1), (True, 500), (False, 500)])
def test_all_alike(right: bool, rows: int) -> None:
    found = quality_sequence(of_right(np.full(rows, right)), 1)
    assert found.value == float(right)
    assert found.rows == rows
    if right:
        assert found.high == 1
        assert (found.low < 0.1) if rows == 1 else (0.97 < found.low < 1)
    else:
        assert found.low == 0
        assert (found.high > 0.9) if rows == 1 else (0 < found.high < 0.03)


def test_nothing_measured_is_not_a_number() -> None:
    for nothing in (np.empty((0, 3), dtype=np.int64), np.zeros((5, 3), dtype=np.int64)):
        found, gap = quality_sequence(nothing, 1), difference_sequence(nothing, nothing, 1)
        assert all(math.isnan(x) for x in (found.value, found.low, found.high, gap.value, gap.low, gap.high))
        assert found.rows == len(nothing)
        assert interim_analysis(nothing, nothing, most_items=1, needed=0.9, target=0.8, min_effect=0.01).settled is None


def test_a_row_with_more_than_the_most_weighs_as_much_as_the_most() -> None:
    """A model that lists a hundred items must neither break the bound nor drown the other rows."""
    usual = [(4, 0, 0)] * 50
    endless, most = np.array([*usual, (0, 100, 0)]), np.array([*usual, (0, 8, 0)])
    found, same = quality_sequence(endless, 4), quality_sequence(most, 4)
    assert (found.value, found.low, found.high) == pytest.approx((same.value, same.low, same.high))
    assert quality_sequence(endless, 50).value < found.value


def test_what_are_no_outcomes_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        quality_sequence(np.array([[1, -1, 0]]), 1)
    with pytest.raises(ValueError, match=r"expected \(n, 3\)"):
        difference_sequence(np.ones((3, 3), int), np.ones((4, 3), int), 3)


TARGETS = product_targets(0.9, head_room=1.5, min_effect=0.01)


def looked(first: np.ndarray, best: np.ndarray | None = None, alpha: float = 0.05 / 6) -> tuple[str | None, int]:
    """Why and after how many rows a rung is settled when looked at every 50 rows."""
    for rows in LOOKS:
        seen = interim_analysis(
            first[:rows],
            None if best is None else best[:rows],
            most_items=1,
            needed=needed(TARGETS),
            target=TARGETS.quality,
            min_effect=TARGETS.min_effect,
            alpha=alpha,
        )
        if seen.settled is not None:
            return seen.settled, rows
    return None, 1000


@pytest.mark.parametrize("seed", range(5))
def test_what_is_plain_is_settled_early(seed: int) -> None:
    random = np.random.default_rng(seed)
    assert looked(drawn(random, 1000, 0.99))[0] == "stays"
    short, rows = looked(drawn(random, 1000, 0.7))
    assert short == "falls short"
    assert rows <= 150
    high, low = drawn_pair(random, 1000, 0.8, 0.7)
    for first, best, expected in ((high, low, "better"), (low, high, "not better")):
        settled, rows = looked(first, best)
        assert settled == expected
        assert rows <= 300


def test_what_falls_short_is_still_compared() -> None:
    """That a rung cannot stay says nothing of whether it is the best: a close comparison goes on."""
    random = np.random.default_rng(8)
    close, best = drawn_pair(random, 200, 0.72, 0.71)
    seen = interim_analysis(close, best, most_items=1, needed=0.93, target=0.9, min_effect=0.01)
    assert seen.quality.high < 0.93
    assert seen.difference is not None
    assert seen.difference.low <= 0 < 0.01 <= seen.difference.high
    assert seen.settled is None
    assert (
        interim_analysis(close, None, most_items=1, needed=0.93, target=0.9, min_effect=0.01).settled == "falls short"
    )


def test_staying_needs_no_comparison() -> None:
    same = of_right(np.ones(300, dtype=bool))
    assert interim_analysis(same, same, most_items=1, needed=0.93, target=0.9, min_effect=0.0).settled == "stays"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.5, 0.99), st.floats(1, 3))
def test_a_rung_stays_exactly_when_the_gate_says_so(rows: int, right: float, target: float, room: float) -> None:
    targets = product_targets(target, head_room=room)
    bar = needed(targets)
    outcomes = of_right(np.arange(rows) < round(right * rows))
    seen = interim_analysis(outcomes, None, most_items=1, needed=bar, target=target, min_effect=0.01)
    assert (seen.settled == "stays") == meets_with_head_room(seen.quality, targets)
    assert (seen.settled == "falls short") == (seen.quality.high < bar)


def test_a_rung_that_is_just_no_better_is_seldom_called_better() -> None:
    """300 runs of 10 looks at two equals, at 5 %: peeking with McNemar's test would err in about 20 of 100."""
    random, wrong = np.random.default_rng(31), 0
    for _ in range(300):
        first, best = drawn(random, 500, 0.8), drawn(random, 500, 0.8)
        looks = (difference_sequence(first[:rows], best[:rows], 1) for rows in range(50, 501, 50))
        wrong += any(one.low > 0 for one in looks)
    assert wrong <= 12


def test_a_look_is_quick() -> None:
    """Not a benchmark: an order of magnitude, so that a look never costs what a request does."""
    random = np.random.default_rng(1)
    first, best = extracted(random, 1000, 0.9), extracted(random, 1000, 0.8)
    start = time.process_time()
    interim_analysis(first, best, most_items=FIELDS, needed=0.99, target=0.98, min_effect=0.01)
    assert time.process_time() - start < 0.5


def row(label: str, number: int) -> Row:
    return Row(hashlib.sha256(f"{label} {number}".encode()).hexdigest()[:16], "text", label, f"rows.jsonl:{number}")


SIZES = {"many": 400, "some": 97, "few": 40, "rare": 3, "once": 1}


def made(sizes: dict[str, int]) -> list[Row]:
    return [row(label, number) for label, count in sizes.items() for number in range(count)]


def one_key(label: str) -> tuple[str, ...]:
    return (label,)


def test_every_beginning_holds_each_class_in_proportion() -> None:
    rows = made(SIZES)
    order = stratified(rows, one_key)
    assert sorted(order) == list(range(len(rows)))
    for upto in range(1, len(rows) + 1):
        counts = Counter(rows[place].label for place in order[:upto])
        for label, size in SIZES.items():
            # The rounding of all five classes moves the beginning by four rows at most, and a class by one besides.
            assert abs(counts[label] - size * upto / len(rows)) <= 1 + 4 * size / len(rows)


def test_rare_classes_are_not_kept_for_the_end() -> None:
    """Of 400 classes with one row each, a tenth stands in the first tenth: half-way places would hold them all back."""
    rows = made({**{f"rare {number}": 1 for number in range(400)}, "many": 3600})
    first = stratified(rows, one_key)[:400]
    assert 25 <= sum(rows[place].label != "many" for place in first) <= 55


def test_the_order_is_the_rows_own() -> None:
    """It hangs on contents alone, and rows that are added to one class leave the order within the others."""
    rows = made(SIZES)
    order = [rows[place] for place in stratified(rows, one_key)]
    turned = rows[::-1]
    assert [turned[place] for place in stratified(turned, one_key)] == order
    more = made({**SIZES, "many": 500})
    again = [more[place] for place in stratified(more, one_key)]
    assert [r for r in again if r.label == "some"] == [r for r in order if r.label == "some"]


def test_rows_with_many_keys_stand_in_the_order_of_their_hashes() -> None:
    rows = made(SIZES)
    order = stratified(rows, lambda label: (label, "more") if label == "few" else (label,))
    assert [rows[place].id for place in order] == sorted(one.id for one in rows)
    assert stratified([], one_key) == []


LEVEL = 0.025


def shares(hits: list[float], sizes: list[float]) -> Shares:
    return Shares(np.array(hits), np.array(sizes), np.ones(len(hits)))


def capital(values: list[float]) -> float:
    content = np.array(values)
    return math.exp(mean_capital(log_capital(content, np.ones(len(content)))))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_capital_is_worth_one_while_the_mean_is_0(share: float) -> None:
    """Exact, over all 256 ways in which eight rows can turn out: what Ville's inequality needs."""
    worth = 0.0
    for turned in itertools.product((True, False), repeat=8):
        rows = sum(turned)
        worth += share**rows * (1 - share) ** (8 - rows) * capital([(one - share) / share for one in turned])
    assert worth == pytest.approx(1, abs=1e-9)


def test_capital_is_worth_less_while_the_mean_is_below_0() -> None:
    worth = 0.5 * capital([0.8]) + 0.5 * capital([-1.0])
    assert worth < 1


def test_capital_knows_no_order_and_counts_equal_rows() -> None:
    values = [0.3, -0.5, 0.3, 0.1]
    assert capital(values) == pytest.approx(capital(values[::-1]))
    grouped = mean_capital(log_capital(np.array([0.1, -0.5, 0.3]), np.array([1.0, 1.0, 2.0])))
    assert capital(values) == pytest.approx(math.exp(grouped))


def test_it_ends_where_capital_reaches_the_level() -> None:
    rows = shares([1.0] * 95 + [0.0] * 5, [1.0] * 100)
    low = f1_low(rows, LEVEL)

    def at(t: float) -> float:
        return capital(list(rows.hits / t - rows.sizes))

    assert at(low) >= 1 / LEVEL > at(low + 1e-3)
    assert f1_high(rows, LEVEL) == pytest.approx(1 - f1_low(rows.misses, LEVEL))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Shares, Shares]:
    """Rows of up to four items; each side's right, wrong and missed are free, as sides may err in any way."""
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    made = []
    expected = random.integers(0, 5, size=count)
    for _ in range(2):
        hits = random.binomial(expected, draw(st.sampled_from([0.05, 0.5, 0.9, 1.0])))
        wrong = random.binomial(4 - hits, draw(st.sampled_from([0.0, 0.3])))
        made.append(Shares(2 * hits / 8, (hits + wrong + expected) / 8, np.ones(count)))
    return made[0], made[1]


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_no_gap_below_the_low_end_could_be_true(sides: tuple[Shares, Shares]) -> None:
    """Brute force over the second's F1 and all smaller gaps: each of them has lost its bet."""
    first, second = sides
    low = gap_low(first, second, (0.0, 1.0), LEVEL)
    assert low <= (first.f1 - second.f1 if not math.isnan(first.f1 - second.f1) else 1) + 1e-9
    for gap in np.linspace(-1, low, 7) if low > -1 else ():
        for t in np.linspace(0, 1, 9):
            values = first.hits - second.hits - t * (first.sizes - second.sizes) - gap * first.sizes
            tops = [top for top in (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0) if top >= gap - 1e-12]
            assert values.min() >= -(1 + tops[0]) - 1e-9
            assert mean_capital(log_capital(values / (1 + tops[0]), first.times)) >= -math.log(LEVEL) - 1e-9


@settings(max_examples=60, deadline=None)
@given(pairs(), st.sampled_from([(0.0, 0.5), (0.4, 0.6), (0.9, 1.0)]))
def test_knowing_more_of_the_second_never_widens(sides: tuple[Shares, Shares], known: tuple[float, float]) -> None:
    """Smaller sets of t leave less to reject; the interval of all t is the widest."""
    first, second = sides
    assert gap_low(first, second, known, LEVEL) >= gap_low(first, second, (0.0, 1.0), LEVEL) - 1e-4
