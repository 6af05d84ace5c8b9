"""Usage and text of an answer that passes through, read piece by piece while it passes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

_MOST_EVENT_BYTES = 1 << 20
_MOST_BODY_BYTES = 16 << 20  # log probabilities of a long answer are that many
_MOST_TEXT = 1 << 20
_DATA = b"data:"

Outcome = tuple[Mapping[str, Any] | None, str | None]


class AnswerReader:
    """One per answer that passes through.

    Of a stream it holds the line that has not ended yet, the last usage and the text; what is longer than its bound is
    let go, so that a stream of any length takes a few MiB at most.

    Args:
        content_type: Of the answer. Events are read one by one, any other body at its end.
    """

    def __init__(self, content_type: str) -> None:
        self._is_stream = "event-stream" in content_type
        self._most_bytes = _MOST_EVENT_BYTES if self._is_stream else _MOST_BODY_BYTES
        self._unread, self._is_too_long = bytearray(), False
        self._usage: Mapping[str, Any] | None = None
        self._text, self._characters, self._text_is_whole = io.StringIO(), 0, True

    def take(self, piece: bytes) -> None:
        """Take in the next bytes of the answer."""
        if not self._is_stream:
            self._keep(piece)
            return
        *ends, begin = piece.split(b"\n")  # no other character ends an event: JSON may hold U+2028 as it is
        for end in ends:
            self._keep(end)
            self._read_line()
        self._keep(begin)

    def outcome(self) -> Outcome:
        """Usage and text of what was taken in; None where they cannot be read, and where a text is not whole."""
        if not self._is_stream:
            return (None, None) if self._is_too_long else _of_object(_json(self._unread))
        self._read_line()
        return self._usage, (self._text.getvalue() or None) if self._text_is_whole else None

    def _keep(self, piece: bytes) -> None:
        if self._is_too_long or len(self._unread) + len(piece) > self._most_bytes:
            self._unread.clear()
            self._is_too_long = True
        else:
            self._unread += piece

    def _read_line(self) -> None:
        if self._is_too_long:
            self._drop_text()  # what the line said is not known
        elif self._unread.startswith(_DATA):
            usage, text = _of_object(_json(self._unread[len(_DATA) :]))
            self._usage = usage or self._usage
            self._add(text or "")
        self._unread.clear()
        self._is_too_long = False

    def _add(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > _MOST_TEXT:
            self._drop_text()
        elif self._text_is_whole:
            self._text.write(text)

    def _drop_text(self) -> None:
        self._text, self._text_is_whole = io.StringIO(), False


def _of_object(answer: Any) -> Outcome:
    if not isinstance(answer, Mapping):
        return None, None
    usage, choices = answer.get("usage"), answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    message = first.get("message") or first.get("delta") or {}
    content = message.get("content") if isinstance(message, Mapping) else None
    return usage if isinstance(usage, Mapping) else None, content if isinstance(content, str) else None


def _json(raw: bytearray) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
