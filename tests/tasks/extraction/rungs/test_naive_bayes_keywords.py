"""Values chosen by keywords."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.rungs.naive_bayes import Keywords, Terms, information, terms_of
from tasks.extraction.rungs.claims import SCHEMA

TEXTS = [Words.of(text) for text in ["Hail came", "hail fell", "big hail", "we had fire", "fire came", "fire", "a day"]]
GOLD = [{"peril": "hail"}] * 3 + [{"peril": "fire"}] * 3 + [{}]


def test_terms_are_words_and_pairs_of_neighbours_once_per_text() -> None:
    assert terms_of(Words.of("Hail, hail on 12")) == {
        *("hail", ",", "on", "00"),
        *("hail ,", ", hail", "hail on", "on 00"),
    }


def test_only_terms_of_three_texts_are_counted() -> None:
    terms = Terms.of(TEXTS)
    assert set(terms.names) == {"hail", "fire"}
    table = terms.by_class(np.array([0, 0, 0, 1, 1, 1, 2]), 3)
    assert dict(zip(terms.names, table.tolist(), strict=True)) == {"hail": [3, 0, 0], "fire": [0, 3, 0]}


def test_keywords_choose_and_their_absence_speaks_too() -> None:
    known = Keywords.learn(SCHEMA["peril"], Terms.of(TEXTS), GOLD)
    assert set(known.values) == {"hail", "fire", None}
    for text, value in (("there was hail", "hail"), ("a fire", "fire"), ("a day", None)):
        choice = known.choose(terms_of(Words.of(text)))
        assert choice.value == value
        assert 1 / 3 < choice.confidence < 1


def test_it_comes_back_from_its_parts() -> None:
    known = Keywords.learn(SCHEMA["peril"], Terms.of(TEXTS), GOLD)
    again = Keywords.of(known.to_json(), known.arrays())
    terms = terms_of(Words.of("a fire"))
    assert again.choose(terms) == known.choose(terms)


def test_information_is_that_of_presence_and_value() -> None:
    """A word that stands in all texts of one of two equal classes tells 1 bit; one spread evenly tells nothing."""
    found = information(np.array([[4.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), np.array([4.0, 4.0]))
    assert found == pytest.approx([math.log(2), 0, 0])
