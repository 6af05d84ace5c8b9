from __future__ import annotations

import pytest

from tailtune.lifecycle.curate import REASONS, Dropped, Drops


def test_counts_and_examples_come_in_the_order_of_the_reasons() -> None:
    drops = Drops()
    for number in range(7):
        drops.add(Dropped(f"a:{number}", "near_duplicate", "of a:0", "x", ("a:0",)))
    drops.add(Dropped("a:9", "empty", "", "x"))
    assert drops.counts() == {"empty": 1, "near_duplicate": 7}
    assert [example.origin for example in drops.examples()] == ["a:9", "a:0", "a:1", "a:2", "a:3", "a:4"]


def test_a_leaked_test_row_counts_once() -> None:
    drops = Drops()
    drops.add(Dropped("a:1", "in_test_file", "", "x", ("t:1", "t:2")))
    drops.add(Dropped("a:2", "near_test_file", "", "x", ("t:2",)))
    drops.add(Dropped("a:3", "duplicate", "", "x", ("a:1",)))
    assert drops.leaked_test_rows() == 2


def test_a_reason_must_be_known() -> None:
    with pytest.raises(ValueError, match=f"expected one of {next(iter(REASONS))}"):
        Drops().add(Dropped("a:1", "because", "", "x"))
