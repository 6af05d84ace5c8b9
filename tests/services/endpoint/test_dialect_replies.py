from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.endpoint.helpers import PRICE
from tailtune.core.language import Reply
from tailtune.services.endpoint.dialect import cost_of, read_reply


def body(message: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}], **more}


@pytest.mark.parametrize(
    ("message", "text", "finish"),
    [
        ({"content": "yes"}, "yes", "stop"),
        ({"content": ""}, "", "stop"),
        ({"content": None}, None, "stop"),
        ({"content": None, "refusal": "I cannot"}, None, "refusal"),
        (
            {"content": [{"type": "text", "text": "y"}, {"type": "text", "text": "es"}, {"type": "image"}]},
            "yes",
            "stop",
        ),
        ({"content": []}, None, "stop"),
        ({"content": 7}, None, "stop"),
        ({"content": "half \ud83d"}, "half ?", "stop"),
        (None, None, "stop"),
    ],
    ids=str,
)
def test_text_and_end(message: Any, text: str | None, finish: str) -> None:
    reply = read_reply(body(message))
    assert (reply.text, reply.finish) == (text, finish)


@pytest.mark.parametrize("choices", [[], None, "x", [None], [{}]], ids=str)
def test_no_choice_is_no_text(choices: Any) -> None:
    reply = read_reply({"choices": choices})
    assert (reply.text, reply.finish) == (None, "none")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, (9, 2, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, (9, 2, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 40}}, (49, 2, 40)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}, (9, 2, 0)),
        ({"prompt_tokens": 9}, (9, None, 0)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None, 0)),
        ({"total_tokens": 11}, (None, None, 0)),
        (None, (None, None, 0)),
        ("none", (None, None, 0)),
    ],
    ids=str,
)
def test_tokens_that_are_not_told_are_not_known(usage: Any, tokens: tuple[int | None, int | None, int]) -> None:
    reply = read_reply(body({"content": "a"}, usage=usage))
    assert (reply.input_tokens, reply.output_tokens, reply.cached_input_tokens) == tokens


def test_cost_needs_both_counts_and_a_price() -> None:
    assert cost_of(Reply("a", "stop", 1000, 100), PRICE) == pytest.approx(1.2)
    assert cost_of(Reply("a", "stop", 0, 0), PRICE) == 0
    assert cost_of(Reply("a", "stop", 1000, None), PRICE) is None
    assert cost_of(Reply("a", "stop", 1000, 100), None) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "text", "prompt_tokens"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["choices", "usage", "error"]), JSON))
def test_no_shape_breaks_it(value: dict[str, Any]) -> None:
    reply = read_reply(value)
    assert reply.text is None or isinstance(reply.text, str)
    assert reply.finish
