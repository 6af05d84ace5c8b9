"""Quality in words: each measure speaks for itself, and a strange one is still spoken of."""

from __future__ import annotations

import math

import pytest

from tailtune.core.measures import MEASURES
from tailtune.report import numbers

from . import claims, fixtures

ONE = fixtures.estimate(0.9, 100)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", "answers 92.4 % right"),
        ("field_f1", "reaches a field F1 of 92.4 %"),
        ("exact_match", "answers 92.4 % of rows wholly right"),
        ("rouge_l", "reaches a rouge l of 92.4 %"),
        ("edit_share", "reaches an edit share of 92.4 %"),
    ],
)
def test_what_a_predictor_reaches(name: str, expected: str) -> None:
    assert numbers.reached(name, 0.924) == expected


def test_what_was_not_measured_is_said_so() -> None:
    assert numbers.reached("field_f1", math.nan) == "reaches a field F1 of n/a"


def test_every_measure_has_a_title_a_meaning_and_a_phrase() -> None:
    assert MEASURES
    for name, measure in MEASURES.items():
        assert numbers.title(name) == measure.title
        assert numbers.meaning(name) + "." == measure.meaning
        assert "{}" in numbers.phrase(name).reached


def test_the_measures_named_here_exist() -> None:
    named = {*numbers.NEXT_TO, *numbers.NEXT_TO.values(), *numbers.OWNERS, numbers.WHOLE}
    assert named <= set(MEASURES)


def test_a_second_column_is_the_partner_or_whatever_comes_second() -> None:
    assert numbers.next_to(fixtures.ladder().rungs[0].metrics) == "macro_f1"
    assert numbers.next_to(claims.ladder().rungs[0].metrics) == "exact_match"
    assert numbers.next_to({"field_f1": ONE, "span_f1": ONE}) == "span_f1"
    assert numbers.next_to({"accuracy": ONE}) is None
    assert numbers.next_to({}) is None


def test_two_measures_have_columns_and_more_get_a_table() -> None:
    assert numbers.further(fixtures.ladder().rungs[0].metrics) == ()
    metrics = claims.ladder().rungs[0].metrics
    assert numbers.further(metrics) == tuple(metrics)[1:]


def test_an_answer_can_be_right_in_part_only_where_there_are_parts() -> None:
    assert numbers.right(fixtures.ladder().rungs[0].metrics) == "right"
    assert numbers.right(claims.ladder().rungs[0].metrics) == "wholly right"


@pytest.mark.parametrize(
    ("title", "inside", "first"),
    [
        ("Frozen encoder", "frozen encoder", "Frozen encoder"),
        ("TF-IDF + linear", "TF-IDF + linear", "TF-IDF + linear"),
        ("field F1", "field F1", "Field F1"),
        ("", "", ""),
    ],
)
def test_titles_within_and_at_the_start_of_a_sentence(title: str, inside: str, first: str) -> None:
    assert (numbers.inline(title), numbers.capital(title)) == (inside, first)
