from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values.texts import fold, scanned, squeezed


def test_case_accents_and_blanks_are_no_difference() -> None:
    assert fold("Straße\u00a0É e\u0301 ﬁ").text == "strasse e e fi"
    assert scanned(fold("Thornpson 10")).text == "thompson lo"
    assert squeezed(fold("AB-12 3.É")).text == "ab123e"


@given(st.text(max_size=30))
def test_every_character_knows_where_it_came_from(text: str) -> None:
    for folded in (fold(text), scanned(fold(text)), squeezed(fold(text))):
        assert len(folded.text) == len(folded.places)
        assert list(folded.places) == sorted(folded.places)
        for i in range(len(folded.text)):
            start, end = folded.back(i, i + 1, text)
            assert 0 <= start < end <= len(text)
            assert end == len(text) or not unicodedata.combining(text[end])
