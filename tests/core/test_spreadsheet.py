"""What begins like a formula is shown and not computed."""

from __future__ import annotations

import pytest

from tailtune.core.spreadsheet import harmless


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_what_begins_like_a_formula_is_text(beginning: str) -> None:
    assert harmless(f"{beginning}1+1") == f"'{beginning}1+1"


@pytest.mark.parametrize("text", ["", "refund of -5", "'quoted", "ärger = groß"])
def test_other_texts_stay(text: str) -> None:
    assert harmless(text) == text
