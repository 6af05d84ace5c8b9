"""Bodies of answers: read up to a limit, and judged before openai's client sees them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import httpx2

from tailtune.services.endpoint.wording import NO_CHOICES, UNREADABLE, moderated, parse_json

MOST_BYTES = 4 * 2**20
"""An answer of a hundred thousand tokens has half a megabyte; JSON of this size takes up to 300 MB to read."""
_MOST_REFUSAL_BYTES = 2**18
_WRITTEN = 80
_STATUS = re.compile(r"[45]\d\d")
_EMPTY = "it has no choices"
_BROKEN_OFF = ("error", "insufficient_system_resource", "network_error", "abort", "aborted", "cancelled", "timeout")
"""How an answer ends that the server could not finish: DeepSeek, Zhipu, SGLang and vLLM, gateways."""


async def read_body(response: httpx2.Response) -> bytes:
    """The body of a response that is open, decompressed; of a refusal the beginning, as people read no more of it.

    Raises:
        ValueError: It is larger than an answer can be, or compressed so that its size is not bounded.
    """
    coding = response.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise ValueError(f"its answer is compressed as {coding[:_WRITTEN]!r}; expected gzip or none")
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > MOST_BYTES:
            raise ValueError(f"its answer is longer than {MOST_BYTES // 2**20} MiB")
    content = bytes(raw) if coding == "identity" else _inflated(bytes(raw), coding)
    return content if response.status_code < 400 else content[:_MOST_REFUSAL_BYTES]


def _inflated(raw: bytes, coding: str) -> bytes:
    """Decompressed; a body that is damaged stays as it is, so that it is told as one that is no JSON."""
    # deflate is sent with a header of zlib, and by some servers without
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS) if coding == "deflate" else (zlib.MAX_WBITS | 16,):
        inflate = zlib.decompressobj(window)
        try:
            content = inflate.decompress(raw, MOST_BYTES + 1)
        except zlib.error:
            continue
        if len(content) > MOST_BYTES:
            raise ValueError(f"its answer is longer than {MOST_BYTES // 2**20} MiB")
        return content
    return raw


def readable(response: httpx2.Response) -> httpx2.Response:
    """The response; or what it should have been, where a 200 says that there is no answer.

    A body that is not the JSON object that the protocol asks for becomes a 502, which openai's client sends again like
    any other. Gateways write errors of the server behind them into a 200, with a status inside: that is taken.
    """
    if response.status_code >= 300:
        return response
    body, fault = _read_object(response.content)
    fault = fault or fault_in(body, response.content)
    if not fault:
        return response
    error = _error_in(body)
    code, empty = error.get("code"), fault.startswith(_EMPTY)
    number = int(code) if isinstance(code, int) or (isinstance(code, str) and _STATUS.fullmatch(code)) else 0
    status = number if 400 <= number <= 599 else 502
    if status == 502 and moderated(response.text if empty else f"{fault} {code}"):
        status = 400
    content = error or {"message": fault, "code": NO_CHOICES if empty else UNREADABLE}
    return httpx2.Response(status, json={"error": content}, headers=response.headers, request=response.request)


def _read_object(content: bytes) -> tuple[dict[str, Any], str]:
    """The JSON object in a body, and what is wrong where there is none."""
    try:
        body = parse_json(content)
    except ValueError as wrong:
        deep = " (nested too deeply)" if "nested" in str(wrong) else ""
        return {}, f"its answer is not JSON{deep}: {_begin(content)}"
    return (body, "") if isinstance(body, dict) else ({}, f"its answer is not a JSON object: {_begin(content)}")


def fault_in(body: Mapping[str, Any], content: bytes) -> str:
    """What keeps an object from being an answer; empty when nothing does.

    Gateways tell some failures of the server behind them in a 200: an `error`, no `choices`, or one that ended in an
    error, or was broken off; and other protocols have answers of other shapes. Taken for answers they would count as
    wrong, and be kept. A choice that was filtered or cut may have no message.
    """
    if body.get("error") and not body.get("choices"):
        error = body["error"]
        return str(error.get("message") or error) if isinstance(error, dict) else str(error)
    choices = body.get("choices")
    if body.get("object") == "list":  # of models
        return ""
    if not isinstance(choices, list) or not choices:
        return f"{_EMPTY}: {_begin(content, 200)}"
    first = choices[0] if isinstance(choices[0], dict) else {}
    finish = first.get("finish_reason")
    if first.get("error") or finish in _BROKEN_OFF:
        return f"it ended in an error: {_begin(content, 200)}"
    if not isinstance(first.get("message"), dict) and finish in (None, "", "stop"):
        return f"its first choice has no message: {_begin(content, 200)}"
    return ""


def _error_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """The error object of an answer, or of its first choice; empty when there is none."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = body.get("error") or first.get("error")
    return error if isinstance(error, dict) else {}


def _begin(content: bytes, characters: int = _WRITTEN) -> str:
    text = " ".join(content[: 4 * characters].decode("utf-8", "replace").split())
    return repr(text[:characters]) if text else "it is empty"
