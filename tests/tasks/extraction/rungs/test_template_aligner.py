"""Spans carried from one text to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.rungs.template import Aligner


def carried(template: str, stretch: str, query: str, most_words: int = 100) -> list[str]:
    start = template.index(stretch)
    spans = [Span(start, start + len(stretch), "x")]
    aligner = Aligner(Words.of(query), most_words)
    return [span.of(query) for span, _ in aligner.transferred(Words.of(template), spans)]


@pytest.mark.parametrize(
    ("template", "stretch", "query", "found"),
    [
        ("paid to Ada today", "Ada", "paid to Ben today", ["Ben"]),
        ("paid to Ada today", "Ada", "paid to Ben Lee Cho today", ["Ben Lee Cho"]),
        ("paid to Ada Lopez today", "Ada Lopez", "paid to Ben today", ["Ben"]),
        ("paid to Ada today", "Ada", "so we paid to Ada today ok", ["Ada"]),
        ("paid to Ada", "Ada", "paid to", []),  # nothing stands there
        ("paid to Ada Lopez of Rome today", "Lopez", "paid to Ben Cho in Oslo today", ["Cho"]),  # word for word
        ("paid to Ada Lopez of Rome today", "Lopez", "paid to Ben today", []),  # inside a changed stretch
        ("paid to Ada today", "Ada", "paid to a b c d e f g today", []),  # too long to be the same thing
        ("paid to Ada today", "Ada", "", []),
    ],
)
def test_what_stands_in_the_place_of_a_span(template: str, stretch: str, query: str, found: list[str]) -> None:
    assert carried(template, stretch, query) == found


def test_only_the_first_words_are_aligned() -> None:
    assert carried("a b c Ada", "Ada", "a b c Ben", most_words=3) == []
    assert carried("a b c Ada", "Ada", "a b c Ben", most_words=4) == ["Ben"]


@pytest.mark.parametrize(
    ("query", "support"),
    [
        ("we have paid to Ben on Monday", 1.0),
        ("they have paid to Ben on Monday", 1.0),  # only three words on each side count
        ("we had paid to Ben on Sunday", (2 / 3 + 1 / 3) / 2),
        ("paid to Ben on", (2 / 3 + 1 / 3) / 2),
    ],
)
def test_words_around_a_place_speak_for_it(query: str, support: float) -> None:
    template = Words.of("we have paid to Ada on Monday")
    span = Span(template.starts[4], template.ends[4], "x")
    ((found, supported),) = Aligner(Words.of(query), 100).transferred(template, [span])
    assert found.of(query) == "Ben"
    assert supported == pytest.approx(support)


@given(st.lists(st.sampled_from(["a", "b", "c", "dd"]), min_size=1, max_size=12), st.data())
def test_onto_itself_every_span_stays(parts: list[str], data: st.DataObject) -> None:
    words = Words.of(" ".join(parts))
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    span = Span(words.starts[first], words.ends[last], "x")
    assert list(Aligner(words, 100).transferred(words, [span])) == [(span, 1.0)]
