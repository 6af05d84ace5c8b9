"""Few examples show as much as few examples can."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.base import Floats
from tailtune.predictors.prompted.examples import most_covering


def vectors(*angles: float) -> Floats:
    turned = np.deg2rad(np.array(angles))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def test_each_class_gets_one_before_any_gets_two() -> None:
    keys = [["a"], ["a"], ["a"], ["b"], ["b"], ["c"]]
    chosen = most_covering(keys, vectors(0, 10, 20, 90, 100, 180), 3, 17)
    assert [keys[i] for i in chosen] == [["a"], ["b"], ["c"]], "the most frequent first"


def test_the_typical_row_is_chosen_not_the_odd_one() -> None:
    keys = [["a"]] * 4 + [["b"]]
    assert most_covering(keys, vectors(0, 10, 12, 80, 180), 1, 17) == [2], "nearest to the middle of a"


def test_with_fewer_shots_than_classes_the_most_frequent_are_shown() -> None:
    keys = [["rare"], *[["common"]] * 3, *[["usual"]] * 2]
    chosen = most_covering(keys, vectors(0, 50, 90, 130, 200, 250), 2, 17)
    assert [keys[i] for i in chosen] == [["common"], ["usual"]]


def test_a_row_with_many_fields_goes_before_its_parts_and_then_what_it_lacks() -> None:
    keys = [["x"], ["y"], ["x", "y"], ["z"], []]
    assert most_covering(keys, vectors(0, 60, 120, 180, 240), 2, 17) == [2, 3]


def test_a_second_example_of_the_same_is_not_its_twin() -> None:
    keys = [["a"]] * 3
    first, second = most_covering(keys, vectors(0, 1, 60), 2, 17)
    assert {first, second} != {0, 1}


def test_rows_that_show_nothing_can_still_be_shown() -> None:
    assert most_covering([[], []], vectors(0, 90), 3, 17) == [0, 1]
    assert most_covering([], vectors(), 3, 17) == []


@given(
    st.lists(st.lists(st.sampled_from("abcd"), unique=True, max_size=3), max_size=12),
    st.integers(1, 6),
    st.integers(0, 9),
)
def test_no_row_is_chosen_twice_and_the_same_seed_chooses_the_same(
    keys: list[list[str]], shots: int, seed: int
) -> None:
    around = vectors(*(i * 25.0 for i in range(len(keys))))
    chosen = most_covering(keys, around, shots, seed)
    assert len(set(chosen)) == len(chosen) == min(shots, len(keys))
    assert most_covering(keys, around, shots, seed) == chosen
    if shots >= len(keys):
        assert sorted(chosen) == list(range(len(keys)))
