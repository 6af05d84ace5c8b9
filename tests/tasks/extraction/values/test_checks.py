from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.tasks.extraction.values.checks import counts_bytes, from_bytes, span_faults


@pytest.mark.parametrize(
    ("spans", "reasons"),
    [
        ([Span(0, 3, "a"), Span(4, 9, "b")], []),
        ([Span(0, 3, "a"), Span(3, 9, "b")], []),
        ([Span(4, 10, "a")], ["span_outside"]),
        ([Span(-1, 3, "a")], ["span_outside"]),
        ([Span(3, 3, "a")], ["span_empty"]),
        ([Span(5, 3, "a")], ["span_empty"]),
        ([Span(3, 4, "a")], ["span_empty"]),
        ([Span(0, 5, "a"), Span(4, 9, "b")], ["span_overlap"]),
        ([Span(0, 9, "a"), Span(4, 9, "b"), Span(0, 3, "b")], ["span_overlap", "span_overlap"]),
        ([Span(0, 3, "a"), Span(0, 3, "a")], ["span_overlap"]),
        ([Span(0, 99, "c"), Span(2, 2, "a")], ["span_outside", "span_empty"]),
    ],
)
def test_each_fault_is_named(spans: list[Span], reasons: list[str]) -> None:
    found = span_faults("one three", spans)
    assert [fault.reason for fault in found] == reasons
    assert all(f"{spans[0].start}–" in found[0].detail for _ in found[:1])


def test_details_say_which_and_what() -> None:
    (fault,) = span_faults("one three", [Span(0, 5, "first"), Span(4, 9, "second")])
    assert fault.detail == "span 0–5 (first) and span 4–9 (second) cross"


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("café Müller called", "called"),
        ("😀 Ann called", "Ann"),
        ("cafe\u0301 by Ann", "Ann"),
        ("🎉🎉 paid €400 to Bo", "€400"),
        ("Größe: 12 m², Fläche", "12 m²"),
    ],
)
def test_bytes_where_characters_are_meant(text: str, surface: str) -> None:
    start = len(text[: text.index(surface)].encode())
    given = [Span(start, start + len(surface.encode()), "x")]
    (fault,) = span_faults(text, given)
    assert fault.reason == "span_bytes" and surface in fault.detail and "count characters" in fault.detail
    assert [span.of(text) for span in from_bytes(text, given)] == [surface]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("plain text", [Span(1, 3, "x")]),  # within a word, but nothing to count otherwise
        ("Ann, 😀", [Span(0, 3, "x")]),  # before the first other character both read the same
        ("café Ann", [Span(5, 8, "x")]),
        ("Straßenbahn 😀", [Span(5, 11, "x")]),  # part of a word: as bytes it is one as well
        ("日本語", [Span(1, 2, "x")]),
        ("café", []),
    ],
)
def test_characters_are_not_taken_for_bytes(text: str, spans: list[Span]) -> None:
    assert not counts_bytes(text, spans)


WORDS = st.lists(st.sampled_from(["Ann", "café", "😀", "e\u0301t", "Ω", "x1", "日本"]), min_size=2, max_size=9)


@given(WORDS, st.data())
def test_right_spans_of_words_have_no_faults_and_bytes_are_read_back(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    spans, at = [], 0
    for word in words:
        spans.append(Span(at, at + len(word), "x"))
        at += len(word) + 1
    chosen = data.draw(st.lists(st.sampled_from(spans), unique=True))
    assert span_faults(text, chosen) == ()
    encoded = [Span(len(text[: s.start].encode()), len(text[: s.end].encode()), "x") for s in chosen]
    assert from_bytes(text, encoded) == tuple(chosen)
    if counts_bytes(text, encoded):
        assert encoded != chosen


def test_half_pairs_and_long_texts_do_no_harm() -> None:
    text = "\ud83d é " * 20_000
    assert [fault.reason for fault in span_faults(text, [Span(0, 10**6, "x")])] == ["span_outside"]
