"""Whatever a model writes ends in an answer or in a counted problem, in bounded time."""

from __future__ import annotations

import json
import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.prompted.codec import Codec, Problem
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.extraction.replies import ObjectCodec
from tailtune.tasks.extraction.schema_reader import schema_from

FIELDS = {
    "label": {"type": "string"},
    "amount": {"type": "number"},
    "days": {"type": "array", "items": {"type": "string", "format": "date"}},
}
SCHEMA = {"type": "object", "properties": FIELDS, "additionalProperties": False}
CODECS: dict[str, Codec] = {
    "labels": LabelCodec({"a": "", "b": "", "refund request": "", "</think>": ""}),
    "objects": ObjectCodec(schema_from(SCHEMA, "schema.json", "tailtune check x")),
}
MARKS = [
    *"{}[]\":,\\ \n`'",
    *(
        '{"label":',
        '"a"',
        '"b"',
        "<think>",
        "</think>",
        "[/THINK]",
        "<|channel|>final<|message|>",
        "<|end|>",
        "Text:\n",
    ),
    *(
        "```json",
        "NaN",
        "1e999",
        "null",
        "\\ud800",
        "\ud800",
        "9" * 400,
        "label: a",
        "Text:\n",
        "refund request",
        '"amount":',
    ),
]
NAMES = [*FIELDS, "reasoning", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["label", "amount", "days", "x"]), inner)
    ),
    max_leaves=9,
)
REPLIES = (
    st.text(max_size=200)
    | st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=25).map("".join)
    | st.tuples(st.sampled_from(["", "So: ", "<think>b</think>"]), JSON.map(json.dumps)).map("".join)
)


def check(codec: Codec, reply: str) -> None:
    read = codec.read(reply, "a text")
    assert read.problem in get_args(Problem)
    assert (read.answer.value is None) == bool(read.problem)
    if not read.problem:
        str(read.answer.value).encode("utf-8")


@pytest.mark.parametrize("task", CODECS)
@given(reply=REPLIES)
def test_any_reply_is_an_answer_or_a_problem(task: str, reply: str) -> None:
    check(CODECS[task], reply)


LONG = {
    "deep lists": '{"label":' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep objects": '{"label":' * 100_000 + '"a"' + "}" * 100_000,
    "deep, unfinished": '{"label":' * 100_000,
    "braces": "{" * 200_000,
    "one key many times": "{" + ",".join(f'"label":{n}' for n in range(50_000)) + "}",
    "many objects": '{"label":"a"}' * 20_000,
    "constants": '{"label":NaN}' * 20_000,
    "begun again and again": "<think>" * 30_000,
    "ended again and again": "</think>" * 30_000,
    "lines of beginnings": "<think>\n" * 30_000,
    "channels": "<|channel|>" * 30_000,
    "a long number": '{"label":' + "9" * 100_000 + "}",
    "texts": "Text:\n" * 30_000,
    "signs": "*" * 200_000,
    "labels": "a b " * 50_000,
    "spaces": " " * 500_000 + "x",
    "tabs at lines": "\n\t " * 100_000,
}


@pytest.mark.parametrize("task", CODECS)
@pytest.mark.parametrize("kind", LONG)
def test_a_long_reply_is_read_in_time(task: str, kind: str) -> None:
    began = time.monotonic()
    check(CODECS[task], LONG[kind])
    assert time.monotonic() - began < 3
