"""Between a task and a prompt: what a prompt may name, how an example is written, how a reply is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tailtune.core.records import Answer
from tailtune.predictors.prompted.reasoning import without_reasoning

Problem = Literal[
    "", "empty", "refused", "too long", "cut off", "no JSON", "unknown label", "two labels", "not as the schema says"
]
"""Why a reply could not be used, or a text not be asked: too long for the model, even without examples. Empty when it
could."""


@dataclass(frozen=True, slots=True)
class Read:
    """One per reply: the answer in it; `value` is None exactly when there is a problem."""

    answer: Answer
    problem: Problem = ""


class Codec(Protocol):
    """One per use case and task."""

    def variables(self) -> Mapping[str, Any]:
        """What a prompt file may name besides `examples` and `text`: labels, or fields and schema."""

    def schema(self, reasoning: bool) -> dict[str, Any]:
        """JSON Schema of a reply; with a field `reasoning` before the answer when asked for."""

    def read(self, reply: str, text: str) -> Read:
        """The answer in a reply, however it is wrapped: bare JSON, JSON in a code fence, words before it."""

    def parse_label(self, text: str) -> Any:
        """A row's label from its text: what an example of a saved rung holds."""

    def shown(self, label: Any) -> str:
        """A row's label as a reply should have it: what an example in a prompt shows."""

    def keys(self, label: Any) -> tuple[str, ...]:
        """What examples should cover: the label; the fields that have a value."""

    def card(self) -> dict[str, Any]:
        """Everything needed to make the codec again, as JSON values."""


CodecFrom = Callable[[Mapping[str, Any]], Codec]
"""Makes a codec from its `card`."""


def undescribed(codec: Codec) -> list[str]:
    """Labels or fields that prompts have no description for."""
    listed = [descriptions for descriptions in codec.variables().values() if isinstance(descriptions, list)]
    return [entry["name"] for descriptions in listed for entry in descriptions if not entry["description"]]


_OBJECT = re.compile(r"\{(?=\s*[\"}])")
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}]', re.DOTALL)
_MOST_FAILED = 1_000  # beginnings of objects that are none: each costs a pass over the reply
_MOST_SCANNED = 1_000_000  # characters that are looked through for where such objects end
_MOST_VALUES = 8  # of a key that stands more than once
_NEXT = re.compile(r"^Text:\s*$", re.MULTILINE)


def first_answer(reply: str) -> str:
    """A reply without its reasoning, and without the further texts that a model writes as in the prompt's examples."""
    text = without_reasoning(reply)
    further = _NEXT.search(text)
    return text[: further.start()].rstrip() if further and further.start() else text


def objects_in(reply: str) -> list[dict[str, Any]]:
    """Every outermost JSON object in a reply, in order: bare, in a code fence, after words.

    A key that stands twice with different values has both, as a list. Single quotes, NaN, numbers without bounds and
    objects that do not end are no JSON, and what stands inside of such an object is no answer.
    """
    numbers: Any = {"parse_constant": _refused, "parse_float": _finite, "parse_int": _finite}
    decoder = json.JSONDecoder(object_pairs_hook=_merged, **numbers)
    found: list[dict[str, Any]] = []
    at, failed, scanned = 0, 0, 0
    while (begin := _OBJECT.search(reply, at)) is not None and failed < _MOST_FAILED:
        try:
            value, at = decoder.raw_decode(reply, begin.start())
        except ValueError as error:  # no JSON, or a constant or a number that JSON does not have
            reached = error.pos if isinstance(error, json.JSONDecodeError) else 0
            end, seen = _end_of_broken(reply, begin.start(), _MOST_SCANNED - scanned)
            at, failed, scanned = max(begin.end(), reached, end), failed + 1, scanned + seen
        except RecursionError:
            break
        else:
            with suppress(RecursionError):  # read at the edge of what can be nested, and not writable
                found.append(_writable(value))
    return found


def _end_of_broken(reply: str, begin: int, most: int) -> tuple[int, int]:
    """Where an object that is no JSON ends by its braces, 0 when they do not say; and the characters looked through."""
    limit, depth = begin + most, 0
    for mark in _MARKS.finditer(reply, begin, limit):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            return mark.end(), mark.end() - begin
    return 0, min(limit, len(reply)) - begin


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        content = values.setdefault(key, [])
        if value not in content and len(content) < _MOST_VALUES:
            content.append(value)
    return {key: content[0] if len(content) == 1 else content for key, content in values.items()}


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> int | float:
    """A number that can be compared with others."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return int(digits) if digits.lstrip("-").isdigit() else number


def _writable(value: dict[str, Any]) -> dict[str, Any]:
    """Half a character, which JSON can escape and no file can hold, becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        cleaned: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
        return cleaned
    return value
