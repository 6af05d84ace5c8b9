"""Measures as hits out of sizes: values by hand, and pulls that add up to nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tailtune.judge.counted import Counted, groups_of
from tailtune.tasks.classification.scoring import macro_f1


def test_a_share_is_right_rows_of_all() -> None:
    counted = Counted.shares(np.array([True, True, False, True]))
    assert counted.value == 0.75
    assert counted.is_plain
    assert counted.influence().tolist() == pytest.approx([0.0625, 0.0625, -0.1875, 0.0625])


def test_rows_that_do_not_count_have_no_pull() -> None:
    right, counts = np.array([True, False, True]), np.array([True, True, False])
    counted = Counted.shares(right, counts)
    assert counted.value == 0.5
    assert counted.is_plain
    assert counted.influence()[2] == 0


def test_nothing_that_counts_is_not_a_number() -> None:
    assert math.isnan(Counted.shares(np.array([True]), np.array([False])).value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", "d", None])), min_size=1))
def test_macro_f1_is_scikit_learns(pairs: list[tuple[str, str | None]]) -> None:
    expected, values = [label for label, _ in pairs], [value for _, value in pairs]
    labels = sorted(set(expected))
    known = f1_score(expected, [value or "-" for value in values], labels=labels, average="macro", zero_division=0)
    counted = macro_f1(expected, values)
    assert counted.value == pytest.approx(known)
    assert counted.influence().sum() == pytest.approx(0, abs=1e-9)


def test_a_row_s_pull_is_what_leaving_it_out_would_take() -> None:
    random = np.random.default_rng(3)
    hits, sizes = random.integers(0, 5, 300), random.integers(5, 9, 300)
    counted = Counted.ratio(hits, sizes)
    left_out = [Counted.ratio(np.delete(hits, at), np.delete(sizes, at)).value for at in range(20)]
    assert counted.influence()[:20] == pytest.approx(counted.value - np.array(left_out), rel=0.05)


def test_rows_without_a_group_are_their_own() -> None:
    assert groups_of([None, None]) is None
    found = groups_of(["x", None, "x", None, "y"])
    assert found is not None
    assert found[0] == found[2]
    assert sorted(set(found.tolist())) == [0, 1, 2, 3]
