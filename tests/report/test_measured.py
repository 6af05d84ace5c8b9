"""Quality in words: each measure speaks for itself, and a strange one is still spoken of."""

from __future__ import annotations

import math

import pytest

from tailtune.core.measures import MEASURES
from tailtune.report import measured

from . import claims, fixtures

ONE = fixtures.estimate(0.9, 100)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accuracy", "answers 92.4 % right"),
        ("field_f1", "reaches a field F1 of 92.4 %"),
        ("exact_match", "answers 92.4 % of rows wholly right"),
        ("rouge_l", "reaches a rouge l of 92.4 %"),
        ("edit_share", "reaches an edit share of 92.4 %"),
    ],
)
def test_what_a_predictor_reaches(name: str, said: str) -> None:
    assert measured.reached(name, 0.924) == said


def test_what_was_not_measured_is_said_so() -> None:
    assert measured.reached("field_f1", math.nan) == "reaches a field F1 of n/a"


def test_every_measure_has_a_title_a_meaning_and_a_phrase() -> None:
    assert MEASURES
    for name, measure in MEASURES.items():
        assert measured.title(name) == measure.title
        assert measured.meaning(name) + "." == measure.meaning
        assert "{}" in measured.phrase(name).reached


def test_the_measures_named_here_exist() -> None:
    named = {*measured.NEXT_TO, *measured.NEXT_TO.values(), *measured.OWNERS, measured.WHOLE}
    assert named <= set(MEASURES)


def test_a_second_column_is_the_partner_or_whatever_comes_second() -> None:
    assert measured.next_to(fixtures.ladder().rungs[0].metrics) == "macro_f1"
    assert measured.next_to(claims.ladder().rungs[0].metrics) == "exact_match"
    assert measured.next_to({"field_f1": ONE, "span_f1": ONE}) == "span_f1"
    assert measured.next_to({"accuracy": ONE}) is None
    assert measured.next_to({}) is None


def test_two_measures_have_columns_and_more_get_a_table() -> None:
    assert measured.further(fixtures.ladder().rungs[0].metrics) == ()
    metrics = claims.ladder().rungs[0].metrics
    assert measured.further(metrics) == tuple(metrics)[1:]


def test_an_answer_can_be_right_in_part_only_where_there_are_parts() -> None:
    assert measured.right(fixtures.ladder().rungs[0].metrics) == "right"
    assert measured.right(claims.ladder().rungs[0].metrics) == "wholly right"


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
    assert (measured.inline(title), measured.capital(title)) == (inside, first)
