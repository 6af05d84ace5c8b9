"""JSON objects in what a language model said, however they are wrapped."""

from __future__ import annotations

import json
import re
from typing import Any

_NEXT = re.compile(r"^Text:\s*$", re.MULTILINE)


def first_answer(reply: str) -> str:
    """A reply without what a model goes on to write after its answer: further texts, as in the prompt's examples."""
    said = reply.strip()
    further = _NEXT.search(said)
    return said[: further.start()].rstrip() if further and further.start() else said


def objects_in(reply: str) -> list[dict[str, Any]]:
    """Every outermost JSON object in a reply, in order: bare, in a code fence, after words.

    A key that stands twice with different values has both, as a list. Single quotes, NaN and objects that do not end
    are no JSON.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_merged, parse_constant=_refused)
    found: list[dict[str, Any]] = []
    at = reply.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(reply, at)
        except json.JSONDecodeError as error:
            at = reply.find("{", max(at + 1, error.pos))
        except ValueError:  # a constant or a number that JSON does not have
            at = reply.find("{", at + 1)
        except RecursionError:
            break
        else:
            found.append(_writable(value))
            at = reply.find("{", end)
    return found


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for key, value in pairs:
        if key not in held:
            held[key] = value
        elif held[key] != value:
            held[key] = [held[key], value]
    return held


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _writable(value: dict[str, Any]) -> dict[str, Any]:
    """Half a character, which JSON can escape and no file can hold, becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        cleaned: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
        return cleaned
    return value
