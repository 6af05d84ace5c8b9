from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.prepare.clean import clean


@pytest.mark.parametrize(
    ("text", "expected", "changes"),
    [
        ("fine as it is", "fine as it is", ()),
        ("  two\tlines\r\n here ", "two lines here", ("whitespace",)),
        ("no\u00a0break", "no break", ("whitespace",)),
        ("cafe\u0301", "caf\u00e9", ("unicode",)),
        ("cut \ud83d", "cut \ufffd", ("unicode",)),
        ("zero\u200bwidth\x00", "zerowidth", ("control",)),
        ("\ufeffe\u200b\u0301 \n", "\u00e9", ("control", "unicode", "whitespace")),
        ("👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم", ()),
        ("\u200b\n", "", ("control", "whitespace")),
    ],
)
def test_texts_are_normalised_and_the_changes_named(text: str, expected: str, changes: tuple[str, ...]) -> None:
    assert clean(text) == (expected, changes)


@given(st.text())
def test_a_clean_text_stays_and_is_nfc_on_one_line(text: str) -> None:
    cleaned, changes = clean(text)
    assert clean(cleaned) == (cleaned, ())
    assert (cleaned == text) == (changes == ())
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == " ".join(cleaned.split())
    cleaned.encode()


MARKS = "\u0301\u0316\u0344\u0f73\u0f71\u3099\u05b0\u0345\u200d😀"


@given(st.text(alphabet=MARKS, min_size=60, max_size=200), st.sampled_from(["a", "ǟ", "か", "", "😀"]))
def test_long_runs_of_marks_are_composed_as_python_does(marks: str, base: str) -> None:
    assert clean(f"x {base}{marks}y")[0] == unicodedata.normalize("NFC", f"x {base}{marks}y")


@pytest.mark.parametrize(
    "unit", ["\u0301\u0316", "\u0f73", "\u0344\u0316", "e\u0301", "\u1100\u1161", "\u200b ", "\ud83d"]
)
def test_no_text_makes_cleaning_slow(unit: str) -> None:
    text = "a" + unit * (200_000 // len(unit))
    began = time.process_time()
    clean(text)
    assert time.process_time() - began < 3
