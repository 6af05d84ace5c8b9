"""Words, their places and shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.rungs.base import Words, shape


def test_words_are_runs_of_letters_and_digits_and_single_marks() -> None:
    words = Words.of("Ada's CL-26-01234, 😀é_x")
    assert words.surfaces == ("ada's", "cl", "-", "26", "-", "01234", ",", "😀", "é", "_", "x")
    assert words.forms == ("ada's", "cl", "-", "00", "-", "00000", ",", "😀", "é", "_", "x")
    assert words.shapes[:6] == ("Aa'a", "A", "-", "00", "-", "00000")
    assert len(words) == len(words.starts) == len(words.ends)


@pytest.mark.parametrize(
    ("word", "built"), [("Main", "Aa"), ("AB1234", "A0000"), ("iPhone", "aAa"), ("€", "€"), ("漢字", "a")]
)
def test_a_shape_says_how_a_word_is_built(word: str, built: str) -> None:
    assert shape(word) == built


def test_a_stretch_has_the_words_that_it_touches() -> None:
    words = Words.of("to Ada Lopez now")
    assert words.under(3, 12) == (1, 3)
    assert words.under(4, 5) == (1, 2), "inside a word"
    assert words.under(2, 3) == (1, 1), "a blank has no word"
    assert Words.of("").under(0, 0) == (0, 0)


@given(st.text(max_size=60))
def test_every_character_but_blanks_is_in_one_word(text: str) -> None:
    words = Words.of(text)
    covered = "".join(text[start:end] for start, end in zip(words.starts, words.ends, strict=True))
    assert "".join(text.split()) == "".join(covered.split())
    assert all(end <= start for end, start in zip(words.ends, words.starts[1:], strict=False))
