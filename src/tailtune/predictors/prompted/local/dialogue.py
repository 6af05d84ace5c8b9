"""Messages to the token ids that a local model continues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tailtune.core.language import Message

PLAIN_STOPS = ("\n\nUser:", "\n\nSystem:")
"""Where a model without turns of its own begins to speak for others."""
_SPOKEN = {"system": "System", "user": "User", "assistant": "Assistant"}


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a prompt, up to where the answer begins.

    Written in the model's own chat template, or as `System:`, `User:`, `Assistant:` where it has none. A template that
    knows no system message finds it in front of the first user message.

    Args:
        tokenizer: Of transformers.
        messages: The prompt; special tokens written out in them are broken up, so that a text cannot end its turn.
    """
    turns = [{"role": one.role, "content": _harmless(tokenizer, one.content)} for one in messages]
    if not tokenizer.chat_template:
        found: list[int] = tokenizer(plain(turns))["input_ids"]
        return found
    from jinja2 import TemplateError

    try:
        return _templated(tokenizer, turns)
    except TemplateError:
        return _templated(tokenizer, _without_system(turns))


def plain(turns: Sequence[dict[str, str]]) -> str:
    """A dialogue as text, ending where the assistant speaks."""
    return "\n\n".join([*(f"{_SPOKEN[one['role']]}:\n{one['content']}" for one in turns), "Assistant:\n"])


def _templated(tokenizer: Any, turns: Sequence[dict[str, str]]) -> list[int]:
    found = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=True)
    return [int(one) for one in found["input_ids"]]


def _without_system(turns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    said = [one["content"] for one in turns if one["role"] == "system"]
    rest = [dict(one) for one in turns if one["role"] != "system"]
    if said and rest:
        rest[0]["content"] = "\n\n".join([*said, rest[0]["content"]])
    return rest


def _harmless(tokenizer: Any, text: str) -> str:
    for special in tokenizer.all_special_tokens:
        if len(special) > 1 and special in text:
            text = text.replace(special, f"{special[0]} {special[1:]}")
    return text
