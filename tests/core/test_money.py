"""An unknown part makes the whole unknown."""

from __future__ import annotations

from tailtune.core.money import known_sum


def test_known_parts_are_added_and_nothing_is_zero() -> None:
    assert known_sum([0.1] * 10) == 1.0
    assert known_sum(iter(())) == 0.0


def test_one_unknown_part_makes_the_sum_unknown() -> None:
    assert known_sum((1.0, None, 2.0)) is None
