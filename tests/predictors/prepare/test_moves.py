from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.predictors.prepare import moved, prepared, prepared_with
from tailtune.predictors.prepare.clean import clean, clean_mapped
from tailtune.predictors.prepare.moves import Edit, Moves, apply
from tailtune.predictors.prepare.scrub import KINDS, scrub, scrub_mapped

CARD = "4111 1111 1111 1111"


def after(text: str, surface: str, scrub_pii: tuple[str, ...] = tuple(KINDS)) -> tuple[str, list[str]]:
    """The prepared text, and what the span of a surface covers in it."""
    start = text.index(surface)
    new, spans, _ = prepared_with(text, [Span(start, start + len(surface), "x")], scrub_pii)  # type: ignore[arg-type]
    return new, [span.of(new) for span in spans]


@pytest.mark.parametrize(
    ("text", "surface", "covered"),
    [
        ("as it is", "it", "it"),
        ("  two\r\n\tlines here", "lines here", "lines here"),
        ("  two\r\n\tlines here", "two\r\n\tlines", "two lines"),
        ("a  b  c", "  b  ", "b"),
        ("a  b", " b", "b"),
        ("cafe\u0301 noir", "noir", "noir"),
        ("cafe\u0301 noir", "cafe\u0301", "caf\u00e9"),
        ("cafe\u0301 noir", "cafe", "caf\u00e9"),
        ("cafe\u0301 noir", "\u0301 noir", "\u00e9 noir"),
        ("\ufeffe\u200b\u0301x y", "x", "x"),
        ("so\u00adft hy\u00adphen", "hy\u00adphen", "hyphen"),
        ("👩\u200d💻 cut \ud83d here", "here", "here"),
        ("👩\u200d💻  \u200b💻", "💻", "💻"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af 2", "\u1100\u1173\u11af", "\uae00"),
        ("日本がっこう か\u3099", "こう", "こう"),
        (f"card {CARD} of Ann", "Ann", "Ann"),
        (f"card {CARD} of Ann", CARD, "<card>"),
        (f"card {CARD} of Ann", "1111 1111", "<card>"),
        (f"card {CARD} of Ann", "1111 of", "<card> of"),
        (f"card {CARD} of Ann", "card 4111", "card <card>"),
        ("mail a.b@example.org\n\nor call me at (415) 555-0123 ok", "call me", "call me"),
        ("mail a.b@example.org\n\nor call me at (415) 555-0123 ok", "0123 ok", "<phone> ok"),
        ("host 10.0.0.1 and ::1", "and", "and"),
    ],
)
def test_a_span_goes_where_its_text_goes(text: str, surface: str, covered: str) -> None:
    assert after(text, surface)[1] == [covered]


def test_a_span_of_nothing_visible_is_left_out_and_one_of_blanks_keeps_a_blank() -> None:
    assert after("a\u200bb", "\u200b") == ("ab", [])
    assert after("a \n b", " \n ") == ("a b", [" "])


def test_two_spans_in_one_token_become_one() -> None:
    text = f"card {CARD}"
    _, spans, kinds = prepared_with(text, [Span(5, 9, "x"), Span(10, 14, "x"), Span(0, 4, "y")], ["card"])
    assert spans == (Span(5, 11, "x"), Span(0, 4, "y"))
    assert kinds == ("card",)


# fmt: off
PIECES = st.lists(
    st.sampled_from([
        "a", "Ann", " ", "\n\n", "e\u0301", "\u0301\u0316", "\u200b", "\ud83d", "😀", "\u1100\u1161", "\u0f73",
        "か\u3099", "\u09c7\u09be", "\u0344", "a@b.org", CARD, "10.0.0.1", "+49 30 1234567", "::1",
        "GB82 WEST 1234 5698 7654 32",
    ])
    | st.text(max_size=3),
    max_size=12,
)
# fmt: on


@given(PIECES)
def test_mapped_texts_are_what_clean_and_scrub_make_of_them(pieces: list[str]) -> None:
    text = "".join(pieces)
    cleaned, changes, moves = clean_mapped(text)
    assert (cleaned, changes) == clean(text)
    scrubbed, kinds, more = scrub_mapped(cleaned, KINDS)
    assert (scrubbed, kinds) == scrub(cleaned, KINDS)
    assert prepared_with(text, (), KINDS) == (prepared(text, KINDS), (), kinds)
    assert bool(moves) == (len(changes) > 0) and bool(more) == (len(kinds) > 0)


@given(PIECES, PIECES)
def test_a_word_away_from_edits_keeps_its_characters(before: list[str], behind: list[str]) -> None:
    head, word = f"{''.join(before)} ; ", "Wörter 😀 stay"
    text = f"{head}{word} ; {''.join(behind)}"
    new, spans, _ = prepared_with(text, [Span(len(head), len(head) + len(word), "x")], KINDS)
    assert [span.of(new) for span in spans] == [word]


@given(PIECES)
def test_composition_is_told_cluster_by_cluster(pieces: list[str]) -> None:
    """Every boundary between what NFC composes apart stays a boundary, so spans are as exact as the text allows."""
    text = " ".join("".join(pieces).split()).replace("\ud83d", "").replace("\u200b", "")
    starts = [i for i in range(len(text)) if _apart(text[:i], text[i:])]
    _, changes, moves = clean_mapped(text)
    if changes == ("unicode",):
        for i in starts:
            assert moves[0].moved(i, len(text))[0] == len(unicodedata.normalize("NFC", text[:i]))


def _apart(left: str, right: str) -> bool:
    whole = unicodedata.normalize("NFC", left + right)
    first = unicodedata.combining(unicodedata.normalize("NFD", right)[0]) == 0
    return first and whole == unicodedata.normalize("NFC", left) + unicodedata.normalize("NFC", right)


@given(st.text(alphabet="ab c", max_size=30), st.data())
def test_moves_agree_with_the_edits_they_are_made_of(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), unique=True, max_size=8).map(sorted))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    edits = [Edit(start, end, data.draw(st.sampled_from(["", " ", "<x>"]))) for start, end in pairs]
    new, moves = apply(text, edits), Moves(edits)
    assert bool(moves) == bool(edits)
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            left, right = moves.moved(start, end)
            assert 0 <= left <= right <= len(new)
            untouched = all(edit.end <= start or edit.start >= end for edit in edits)
            if untouched:
                assert new[left:right] == text[start:end]


def test_a_text_that_does_not_change_has_no_moves() -> None:
    assert clean_mapped("nothing to do, Señor 😀") == ("nothing to do, Señor 😀", (), ())
    spans = (Span(0, 7, "x"),)
    assert moved(spans, ()) == spans


@pytest.mark.parametrize(
    "unit", ["\u0301\u0316", "\u0f73", "\u0344\u0316", "e\u0301", "\u1100\u1161", "\u200b ", "か\u3099"]
)
def test_no_text_makes_mapping_slow(unit: str) -> None:
    text = "a" + unit * (100_000 // len(unit))
    began = time.process_time()
    prepared_with(text, [Span(i, i + 1, "x") for i in range(0, 1000, 2)], KINDS)
    assert time.process_time() - began < 3
