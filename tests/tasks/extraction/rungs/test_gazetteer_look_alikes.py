"""What looks like a date, a time, an amount …"""

from __future__ import annotations

import time

import pytest

from tailtune.tasks.extraction.rungs.gazetteer import FINDABLE, look_alikes
from tailtune.tasks.extraction.schema import Kind


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("date", "on 2026-03-12 at", "2026-03-12"),
        ("date", "on 03/12/2026.", "03/12/2026"),
        ("date", "on March 12th, 2026.", "March 12th, 2026"),
        ("date", "am 12. or 12 Mar 2026", "12 Mar 2026"),
        ("date", "it was yesterday", "yesterday"),
        ("date", "it was two days ago", "two days ago"),
        ("date", "since last Tuesday", "last Tuesday"),
        ("time", "at 2:05 pm on", "2:05 pm"),
        ("time", "at 14h05", "14h05"),
        ("time", "around noon", "noon"),
        ("money", "for $2.5k now", "$2.5k"),
        ("money", "for EUR 1.250,00 now", "EUR 1.250,00"),
        ("money", "for 400 pounds now", "400 pounds"),
        ("phone", "call (415) 555-0123.", "(415) 555-0123"),
        ("phone", "call +44 20 7946 0958", "+44 20 7946 0958"),
        ("email", "to Ada.L+x@mail.example.com.", "Ada.L+x@mail.example.com"),
        ("integer", "about 12,500 miles", "12,500"),
        ("integer", "in three rooms", "three"),
        ("number", "at 3.5 percent", "3.5"),
    ],
)
def test_it_is_found(kind: Kind, text: str, expected: str) -> None:
    assert expected in [text[start:end] for start, end in look_alikes(kind, text)]


def test_words_are_not_taken_for_values() -> None:
    text = "Nothing of the kind is said in this sentence, Mayor."
    assert [text[start:end] for kind in sorted(FINDABLE) for start, end in look_alikes(kind, text)] == []


def test_other_kinds_are_not_looked_for() -> None:
    assert list(look_alikes("text", "on 2026-03-12")) == []


@pytest.mark.parametrize("text", ["1 " * 10_000, "a." * 10_000, "1.000" * 4_000, "hundred " * 2_500])
def test_long_texts_take_no_longer_than_they_are_long(text: str) -> None:
    begun = time.perf_counter()
    for kind in FINDABLE:
        list(look_alikes(kind, text))
    assert time.perf_counter() - begun < 2
