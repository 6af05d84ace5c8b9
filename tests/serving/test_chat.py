"""OpenAI's chat protocol: which text is asked about, and the answer in the format that was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailtune.serving.chat import ChatBody, TextFrom, completion, content_of, events

from .fake import label_of, object_of

USER = {"role": "user", "content": "charged twice"}
LABEL, NO_ANSWER = label_of("charged twice", "billing"), label_of("?", None)
OBJECT = object_of("3 by Ada", {"amount": 3, "who": "Ada"})
JSON_OBJECT = {"type": "json_object"}


def body(*messages: dict[str, Any], **more: Any) -> ChatBody:
    return ChatBody.model_validate_json(json.dumps({"messages": messages, **more}))


def schema(**properties: Any) -> dict[str, Any]:
    shape = {"type": "object", "properties": properties}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([USER], "charged twice"),
        ([{"role": "system", "content": "Classify."}, USER], "charged twice"),
        ([USER, {"role": "assistant", "content": "billing"}, {"role": "user", "content": "next"}], "next"),
        ([{"role": "user", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]}], "a b"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], None),
        ([{"role": "user", "content": [{"type": "text"}]}], None),
        ([{"role": "user", "content": None}], None),
        ([{"role": "system", "content": "Classify."}], None),
        ([USER, {"role": "assistant", "content": "The label is"}], None),
        ([USER, {"role": "tool", "content": "42", "tool_call_id": "1"}], None),
    ],
)  # fmt: skip
def test_the_text_is_the_last_message_of_the_user(messages: list[dict[str, Any]], text: str | None) -> None:
    assert TextFrom.of(None)(body(*messages)) == text


@pytest.mark.parametrize(
    ("pattern", "message", "text"),
    [
        ("Ticket: {text}", "Ticket: charged twice", "charged twice"),
        ("Ticket:\n{text}\nLabel:", " Ticket:\n charged twice \n\nLabel: ", "charged twice"),
        ("{text} Label:", "charged twice Label:", "charged twice"),
        ("Ticket: {text}", "charged twice", None),
        ("ab{text}bc", "abc", None),
        ("a{text}a", "a", None),
        ("a{text}a", "aa", ""),
        ("(.*)+{text}", "(.*)+x", "x"),
    ],
)
def test_fixed_words_around_the_text_are_left_out(pattern: str, message: str, text: str | None) -> None:
    assert TextFrom.of(pattern)(body({"role": "user", "content": message})) == text


@pytest.mark.parametrize(
    ("more", "asks"),
    [
        ({}, False),
        ({"n": 1, "tools": [], "temperature": 0, "seed": 3, "logprobs": False}, False),
        ({"n": 2}, True),
        ({"tools": [{"type": "function"}]}, True),
        ({"functions": [{"name": "f"}]}, True),
        ({"logprobs": True}, True),
    ],
)
def test_what_only_a_language_model_has_is_seen(more: dict[str, Any], asks: bool) -> None:
    assert body(USER, **more).asks_for_more is asks


def test_everything_that_clients_may_leave_empty_is_taken() -> None:
    plain = body(USER, stream=None, user=None, metadata=None, n=None, max_tokens=None, response_format=None)
    assert not plain.asks_for_more and plain.most_tokens is None
    assert body(USER, max_tokens=5, n=3).most_tokens == 15


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (None, "billing"),
        ({"type": "text"}, "billing"),
        (JSON_OBJECT, '{"label": "billing"}'),
        (schema(category={"type": "string"}), '{"category": "billing"}'),
        (schema(category={"type": ["string", "null"]}), '{"category": "billing"}'),
        (schema(category={"enum": ["billing", "login"]}), '{"category": "billing"}'),
        (schema(category={"type": "string", "enum": ["login"]}), None),
        (schema(category={"type": "integer"}), None),
        (schema(category={}, reason={}), None),
        (schema(), None),
        ({"type": "json_schema"}, None),
        ({"type": "json_schema", "json_schema": 3}, None),
        ({"type": "grammar"}, None),
    ],
)
def test_a_label_comes_in_the_format_that_was_asked_for(form: dict[str, Any] | None, content: str | None) -> None:
    assert content_of(LABEL, form) == content
    assert content_of(NO_ANSWER, form) is None


@pytest.mark.parametrize(
    ("form", "fits"),
    [
        (None, True),
        (JSON_OBJECT, True),
        (schema(amount={}, who={}), True),
        (schema(amount={}), False),
        (schema(amount={}, who={}, reason={}), False),
        ({"type": "json_schema"}, True),
        ({"type": "grammar"}, False),
    ],
)
def test_an_object_comes_where_its_fields_are_those_asked_for(form: dict[str, Any] | None, fits: bool) -> None:
    assert content_of(OBJECT, form) == (OBJECT.value if fits else None)


def test_a_completion_is_one_that_openai_would_send() -> None:
    whole = completion("r1", "inbox", "billing", LABEL)
    assert whole["id"] == "chatcmpl-r1"
    assert whole["choices"][0]["message"]["content"] == "billing"
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_has_the_answer_the_end_and_the_usage_asked_for(usage: bool) -> None:
    whole = completion("r1", "inbox", "müde", LABEL)
    lines = [line for line in events(whole, usage).decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:2]] == ["müde", None]
    assert chunks[1]["choices"][0]["finish_reason"] == "stop"
    assert [chunk.get("usage") for chunk in chunks] == ([None, None, whole["usage"]] if usage else [None, None])
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
