import pytest

from tailtune.judge.looks import ERROR, halves, look


def test_all_looks_together_spend_no_more_than_the_error() -> None:
    assert 0.95 * ERROR < sum(look(number).error for number in range(1, 20_000)) <= ERROR


def test_each_look_may_spend_less_than_the_one_before() -> None:
    errors = [look(number).error for number in range(1, 60)]
    assert errors == sorted(errors, reverse=True) and errors[-1] > 0
    assert (round(errors[0], 4), round(errors[19], 4)) == (0.0062, 0.001)


def test_from_the_twentieth_look_on_fresh_rows_are_advised() -> None:
    assert look(19).advice == "" and look(20).advice == "fresh test rows advised"
    assert look(3).words == "look 3 of this test set"


def test_there_is_no_look_before_the_first() -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        look(0)


def test_two_ways_to_win_share_the_error_and_newest_rows_count_looks_by_the_year() -> None:
    whole, newest = halves(look(1), 3)
    assert (whole.error + newest.error) < look(1).error and whole.error == look(1).error / 2
    assert newest.error == look(3).error / 2 and newest.words == "look 3 of this year"
