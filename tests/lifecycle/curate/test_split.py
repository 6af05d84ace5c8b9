from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.config.model import SplitSpec
from tailtune.lifecycle.curate import split_of


def spec(**keys: float | str) -> SplitSpec:
    return SplitSpec.model_validate(keys)


@given(st.text(), st.booleans())
def test_a_split_depends_on_the_key_and_the_spec_alone(key: str, test_given: bool) -> None:
    assert split_of(key, spec(), test_given) == split_of(key, spec(), test_given)
    assert not (test_given and split_of(key, spec(), test_given) == "test")


def test_splits_are_pinned_for_live_models() -> None:
    """Another hash or another order of the shares would move rows of every use case that is live."""
    keys = ["charged twice", "card has not arrived", "customer 17", "", "c", "f", "k"]
    assert [split_of(key, spec(), False) for key in keys] == [
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
        "train",
    ]


def test_shares_hold_over_many_keys() -> None:
    counts = Counter(split_of(f"key {i}", spec(dev_share=0.1, test_share=0.2), False) for i in range(20_000))
    assert counts["dev"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counts["test"] / 20_000 == pytest.approx(0.2, abs=0.012)


def test_a_given_test_file_leaves_dev_where_it_was() -> None:
    for i in range(500):
        without, given_file = split_of(f"{i}", spec(), False), split_of(f"{i}", spec(), True)
        assert given_file == ("train" if without == "test" else without)


def test_another_salt_is_another_split() -> None:
    other = [split_of(f"{i}", spec(salt="other"), False) for i in range(500)]
    assert other != [split_of(f"{i}", spec(), False) for i in range(500)]
