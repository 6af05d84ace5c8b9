"""Texts marked up: each case as a person reads it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.tasks.extraction.details import marked

TEXT = "Crash on 4 May 2026, reported 5 May. 😀 Ada"
LOSS, SHORT, REPORT, NAME = Span(9, 19, "loss"), Span(9, 14, "loss"), Span(30, 35, "report"), Span(39, 42, "name")


@pytest.mark.parametrize(
    ("expected", "answered", "shown"),
    [
        ([], [], TEXT),
        ([LOSS], [LOSS], "Crash on ⟦✓ loss: 4 May 2026⟧, reported 5 May. 😀 Ada"),
        ([], [NAME], "Crash on 4 May 2026, reported 5 May. 😀 ⟦✗ name: Ada⟧"),
        ([NAME], [], "Crash on 4 May 2026, reported 5 May. 😀 ⟦missed name: Ada⟧"),
        ([REPORT], [Span(30, 35, "loss")], "Crash on 4 May 2026, reported ⟦✗ loss, expected report: 5 May⟧. 😀 Ada"),
        (
            [LOSS, NAME],
            [SHORT, NAME],
            'Crash on ⟦✗ loss "4 May", expected loss: 4 May 2026⟧, reported 5 May. 😀 ⟦✓ name: Ada⟧',
        ),
        (
            [SHORT, Span(15, 19, "year")],
            [LOSS],
            'Crash on ⟦✗ loss, expected loss "4 May" and year "2026": 4 May 2026⟧, reported 5 May. 😀 Ada',
        ),
    ],
)
def test_a_text_is_marked(expected: list[Span], answered: list[Span], shown: str) -> None:
    assert marked(TEXT, expected, answered) == shown


def test_neighbours_that_touch_are_two_stretches() -> None:
    assert marked("ab", [Span(0, 1, "x")], [Span(1, 2, "y")]) == "⟦missed x: a⟧⟦✗ y: b⟧"


SPANS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 6), st.sampled_from("xy")).map(
        lambda at: Span(at[0], min(12, at[0] + at[1]), at[2])
    ),
    max_size=5,
)


@given(SPANS, SPANS)
def test_nothing_of_the_text_is_lost(expected: list[Span], answered: list[Span]) -> None:
    shown = marked("abcdefghijkl", expected, answered)
    assert re.sub(r"⟦[^:]*: ([^⟧]*)⟧", r"\1", shown) == "abcdefghijkl"
    assert ("✓" in shown) == bool(set(expected) & set(answered))
