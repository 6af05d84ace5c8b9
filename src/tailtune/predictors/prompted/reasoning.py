"""What a model writes before its answer: reasoning that stands in the text, in the marks of one of many models."""

from __future__ import annotations

import json
import re

_NAMES = (
    r"(?:antml:|seed:)?(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|inner_monologue)"
)
_OPEN = re.compile(
    rf"^[ \t]*(?:<{_NAMES}\b[^<>\n]{{0,80}}>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|inner_prefix)\|>)",
    re.IGNORECASE | re.MULTILINE,
)
_CLOSE = re.compile(
    rf"</{_NAMES}\s*>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|inner_suffix)\|>",
    re.IGNORECASE,
)
# Harmony: <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^\n]{0,80}?<\|message\|>")
_END_OF_CHANNEL = re.compile(r"<\|(?:end|return|call|start|channel)\|>")


def without_reasoning(reply: str) -> str:
    """The reply after its reasoning; empty when reasoning is all there is.

    A block that was begun and not ended is reasoning to its end: the reply was cut off in it. So is one that was ended
    and not begun: some servers put its beginning into the prompt. Marks inside of a JSON value are text.

    Args:
        reply: As it came.

    Limit: reasoning that nothing marks is not seen.
    """
    text = reply.strip()
    if _is_json(text):
        return text
    text = _last_channel(text)
    closed = max(_CLOSE.finditer(text), key=lambda mark: mark.end(), default=None)
    if closed is not None:
        begun = _OPEN.search(text)
        before = text[: begun.start()] if begun is not None and begun.start() < closed.start() else ""
        # What stands before a block is an opening phrase; where nothing follows the block, it is the answer.
        text = text[closed.end() :].strip() or before.strip()
    unclosed = _OPEN.search(text)
    return text if unclosed is None else text[: unclosed.start()].strip()


def _last_channel(text: str) -> str:
    """Of a reply in channels the one named final, or nothing; a reply without channels as it is."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return text
    final = [channel for channel in channels if channel[1].lower() == "final"]
    if not final:
        return ""
    rest = text[final[-1].end() :]
    end = _END_OF_CHANNEL.search(rest)
    return (rest if end is None else rest[: end.start()]).strip()


def _is_json(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
