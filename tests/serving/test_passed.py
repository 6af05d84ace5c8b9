"""What is read of an answer that passes through: its usage wherever it stands, its text, and little memory for both."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.serving.passed import AnswerReader

EVENTS, JSON = "text/event-stream; charset=utf-8", "application/json"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
MIB = 1 << 20


def event(content: str | None = None, **more: Any) -> bytes:
    choices = [] if content is None else [{"delta": {"content": content}}]
    return f"data: {json.dumps({'choices': choices, **more}, ensure_ascii=False)}\n\n".encode()


def outcome(*pieces: bytes, content_type: str = EVENTS) -> Any:
    reader = AnswerReader(content_type)
    for piece in pieces:
        reader.take(piece)
    return reader.outcome()


@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    whole = event("grüß") + b": a comment\r\n\r\n" + event(" dich") + event(usage=USAGE) + b"data: [DONE]\n\n"
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[begin:end] for begin, end in pairwise(places)]
    assert b"".join(pieces) == whole
    assert outcome(*pieces) == (USAGE, "grüß dich")


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\r", "\v"])
def test_a_character_that_ends_lines_elsewhere_ends_no_event(character: str) -> None:
    assert outcome(event(f"one{character}two"), event(usage=USAGE)) == (USAGE, f"one{character}two")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_last_line_counts_however_it_ends(end: bytes) -> None:
    assert outcome(event("billing"), event(usage=USAGE).rstrip(b"\n") + end) == (USAGE, "billing")


def test_the_newest_usage_counts_and_events_that_cannot_be_read_are_passed_over() -> None:
    torn = (
        b'data: {"choices": [\n\ndata: 7\n\ndata: {"choices": [null], "usage": null}\n\n' + b"data: " + b"[" * 100_000
    )
    assert outcome(event("a", usage={"prompt_tokens": 1}), event("b", usage=USAGE), torn) == (USAGE, "ab")
    assert outcome(torn) == outcome() == (None, None)


def test_a_line_longer_than_is_kept_costs_no_memory_and_no_usage_after_it() -> None:
    piece = b"x" * 65_536

    def pieces() -> Iterator[bytes]:
        yield event("billing") + b"data: "
        for _ in range(1024):
            yield piece
        yield b"\n\n" + event(usage=USAGE)

    tracemalloc.start()
    try:
        found = outcome(*pieces())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB, "64 MiB came"
    assert found == (USAGE, None), "a text of which something is missing is none"


def test_a_text_longer_than_is_kept_is_none_and_its_usage_counts() -> None:
    piece = event("a" * 1024)
    assert outcome(*([piece] * 1024), event(usage=USAGE)) == (USAGE, "a" * MIB)
    assert outcome(*([piece] * 1025), event(usage=USAGE)) == (USAGE, None)


def test_a_body_that_is_no_stream_is_read_whole() -> None:
    long = "x" * 2 * MIB  # log probabilities are as long
    body = {"choices": [{"message": {"content": "bil\u2028ling"}, "logprobs": long}], "usage": USAGE}
    raw = json.dumps(body, ensure_ascii=False).encode()
    assert outcome(raw[:MIB], raw[MIB:], content_type=JSON) == (USAGE, "bil\u2028ling")
    assert outcome(raw[:-1], content_type=JSON) == (None, None)
    assert outcome(*([raw] * 9), b"{}", content_type=JSON) == (None, None), "18 MiB are not kept"
