"""OpenAI's chat protocol: which text a request asks about, and an answer as a completion."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tailtune.tasks.answerer import Prediction

COMPLETION = "chatcmpl-"
"""What the id of a completion begins with; the request's follows."""


class Message(BaseModel):
    """One per message of a conversation."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str | None:
        """Its text, where it is nothing but text."""
        if isinstance(self.content, str) or self.content is None:
            return self.content
        parts = [part.get("text") for part in self.content if part.get("type") == "text"]
        whole = len(parts) == len(self.content) and all(isinstance(part, str) for part in parts)
        return "".join(map(str, parts)) if whole else None


class ChatBody(BaseModel):
    """One per request; what is not named here is passed through, and changes no local answer."""

    model_config = ConfigDict(extra="allow")

    messages: list[Message] = Field(min_length=1, description="The last message of the user holds the text.")
    model: str = Field("", description="Any name: the server answers for its use case.")
    stream: bool | None = Field(None, description="Whether the answer comes as server-sent events.")
    stream_options: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = Field(None, description="text, json_object or json_schema.")
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    user: str | None = Field(None, description="Kept in the log as the client.")
    metadata: dict[str, Any] | None = Field(None, description="Kept in the log; declared slices are read from it.")

    @property
    def asks_for_more(self) -> bool:
        """Whether it asks for what only a language model has: tools, several answers, tokens with probabilities."""
        extra = self.model_extra or {}
        return (self.n or 1) != 1 or any(extra.get(name) for name in _MORE)

    @property
    def most_tokens(self) -> int | None:
        """Tokens of all answers together at most; None where it sets no limit."""
        each = self.max_completion_tokens or self.max_tokens
        return None if each is None else each * max(1, self.n or 1)


_MORE = ("tools", "functions", "logprobs", "audio", "web_search_options")


@dataclass(frozen=True)
class TextFrom:
    """Where the row stands in a request: the last user message, or a part of it between two fixed texts.

    Attributes:
        before: What the message begins with.
        after: What it ends with.
    """

    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, pattern: str | None) -> TextFrom:
        """Read `serve.text_from`: `…{text}…`, or nothing."""
        before, _, after = (pattern or "{text}").partition("{text}")
        return cls(before.strip(), after.strip())

    def __call__(self, body: ChatBody) -> str | None:
        """The text of a request; None where it has none that this use case could answer."""
        last = body.messages[-1]  # an answer that is to be continued, or a tool's, is no text of a user
        text = last.text if last.role == "user" else None
        if text is None:
            return None
        text = text.strip()
        if len(text) < len(self.before) + len(self.after):
            return None
        if not (text.startswith(self.before) and text.endswith(self.after)):
            return None
        return text[len(self.before) : len(text) - len(self.after)].strip()


def content_of(prediction: Prediction, form: Mapping[str, Any] | None) -> str | None:
    """The answer as the text of a completion, in the format that was asked for.

    Args:
        prediction: A label, or an object as JSON.
        form: `response_format` of the request.

    Returns:
        None where the format asks for something that the answer is not.
    """
    value, kind = prediction.value, (form or {}).get("type", "text")
    if value is None or kind not in ("text", "json_object", "json_schema"):
        return None
    if prediction.is_object:
        fits = kind != "json_schema" or _is_fitting(value, _properties(form))
        return value if fits else None
    if kind == "text":
        return value
    if kind == "json_object":
        return json.dumps({"label": value}, ensure_ascii=False)
    properties = _properties(form)
    if len(properties) != 1:
        return None
    ((name, expected),) = properties.items()
    return json.dumps({name: value}, ensure_ascii=False) if _takes(expected, value) else None


def _is_fitting(value: str, properties: Mapping[str, Any]) -> bool:
    """Whether an object holds all the properties that were asked for and no other."""
    return not properties or set(properties) == set(json.loads(value))


def _takes(expected: Any, value: str) -> bool:
    """Whether a property's schema takes a label: a string, one of the values if some are listed."""
    if not isinstance(expected, Mapping):
        return True
    kinds, listed = expected.get("type", "string"), expected.get("enum", [value])
    return "string" in (kinds if isinstance(kinds, list) else [kinds]) and value in listed


def _properties(form: Mapping[str, Any] | None) -> Mapping[str, Any]:
    at: Any = form
    for name in ("json_schema", "schema", "properties"):
        at = at.get(name) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def completion(request_id: str, model: str, content: str, prediction: Prediction) -> dict[str, Any]:
    """A chat completion; its tokens are those that the encoder read, and the answer counts as none of a language model.

    Limit: `usage.completion_tokens` is 0, for nothing was generated.
    """
    tokens = prediction.tokens or 0
    return {
        "id": f"{COMPLETION}{request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens},
    }


def events(whole: Mapping[str, Any], usage: bool) -> bytes:
    """A completion as server-sent events: the answer in one chunk, the end, and the usage if it was asked for."""
    common = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    if usage:
        common["usage"] = None  # of every chunk but the last
    message = whole["choices"][0]["message"]
    first = {"index": 0, "delta": {"role": "assistant", "content": message["content"]}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks: list[dict[str, Any]] = [{**common, "choices": [first]}, {**common, "choices": [last]}]
    if usage:
        chunks.append({**common, "choices": [], "usage": whole["usage"]})
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()
