"""What the body of an answer says: text, why it ended, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.core.language import Reply


def read_reply(body: Mapping[str, Any]) -> Reply:
    """Read a chat completion, forgiving what servers leave out.

    Returns:
        Without cost and timing. `text` is None when the model refused or said nothing at all, tokens are None when no
        usage was told.
    """
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = _part(choice, "message")
    finish = choice.get("finish_reason")
    text = _text(message.get("content"))
    if text is None and message.get("refusal"):
        finish = "refusal"
    usage = _part(body, "usage")
    given = _count(usage.get("prompt_tokens"))
    cached = _count(_part(usage, "prompt_tokens_details").get("cached_tokens"))
    return Reply(
        text=text,
        finish=finish if isinstance(finish, str) and finish else "none",
        input_tokens=given,
        output_tokens=_count(usage.get("completion_tokens")),
        cached_input_tokens=min(cached or 0, given or 0),
    )


def cost_of(reply: Reply, price: TokenPrice | None) -> float | None:
    """US dollars at list price; None when tokens or price are not known."""
    return list_usd(price, reply.input_tokens, reply.output_tokens, reply.cached_input_tokens)


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}


def _text(content: Any) -> str | None:
    """Some servers send a list of parts. Half a character, which JSON can escape and no file can hold, becomes `?`."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str)) or None
    return content.encode("utf-8", "replace").decode("utf-8") if isinstance(content, str) else None


def _count(value: Any) -> int | None:
    """A number of tokens; -1 and the like are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
