from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values.numbers import in_words, meanings, read_number, words_in
from tailtune.tasks.extraction.values.texts import Refusal


@pytest.mark.parametrize(
    ("surface", "whole", "first"),
    [
        ("85,000 miles", True, 85000), ("85.000 km", True, 85000), ("85 000", True, 85000), ("85'000", True, 85000),
        ("about 85k", True, 85000), ("1.2 million", True, 1_200_000), ("2.5k", False, 2500), ("12,5 %", False, 12.5),
        ("1.250", False, 1.25), ("1,250", False, 1250), ("1.234,5", False, 1234.5), ("1,234.5", False, 1234.5),
        ("1.234.567", False, 1234567), ("1,25,000", False, 125000), ("-5", False, -5), ("−5.5", False, -5.5),
        (".5", False, 0.5),
        ("0.125", False, 0.125), ("two rooms", True, 2), ("a dozen", True, 12), ("twenty-five", True, 25),
        ("no. 7", True, 7),
        ("forty two thousand", True, 42000), ("three hundred and five", True, 305), ("٣", False, 3),
        ("5 tſd", False, 5000), ("-$5", False, -5), ("−€ 5.50", False, -5.5), ("USD-5", False, 5), ("$-5", False, -5),
        ("1e5", True, 100_000), ("1e-05", False, 0.00001), ("-2.5E+3", False, -2500),
    ],
)  # fmt: skip
def test_numbers(surface: str, whole: bool, first: float) -> None:
    read = read_number(surface, whole)
    assert not isinstance(read, Refusal) and read[0] == pytest.approx(first)


def test_what_may_mean_two_things_gives_both() -> None:
    assert meanings("1,250", False) == [1250, 1.25]
    assert meanings("1.250", False) == [1.25, 1250]
    assert meanings("1.250", True) == [1250, 1.25]
    assert meanings("12.50", True) == [12.5]


@pytest.mark.parametrize("surface", ["", "none", "1 or 2", "two or three", "3-5", "AB12", "v1.2.x", "a", "an", "1e999"])
def test_what_is_no_single_number(surface: str) -> None:
    assert isinstance(read_number(surface, True), Refusal)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("twelve hundred", 1200), ("two and a half thousand", 2500), ("two point five million", 2_500_000),
        ("fifteen", 15),
        ("one hundred and twenty-three thousand four hundred and fifty-six", 123456), ("half a million", 500_000),
        ("a couple of hundred", 200), ("two dozen", 24), ("ninety nine", 99), ("zero", 0), ("three grand", 3000),
        ("two three", None), ("twenty twelve", None), ("hello", None), ("a", None), ("", None), ("point", None),
        ("two point", None),
    ],
)  # fmt: skip
def test_words(words: str, number: float | None) -> None:
    assert in_words(words) == number


def test_words_are_found_among_others() -> None:
    assert words_in("About Twenty-Five of the rooms") == 25
    assert words_in("two here and three there") is None


@given(st.integers(0, 10**9))
def test_grouped_figures_are_read_back(number: int) -> None:
    for surface in (f"{number}", f"{number:,}", f"{number:,}".replace(",", " "), f"{number:,}".replace(",", ".")):
        read = read_number(surface, True)
        assert not isinstance(read, Refusal) and read[0] == number


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    read = read_number(text, False)
    assert isinstance(read, Refusal) or all(isinstance(one, float) for one in read)
