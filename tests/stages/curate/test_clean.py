from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.stages.curate.clean import clean


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
