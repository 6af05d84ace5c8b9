"""What a prompt shows and asks, read as a model would: blocks that begin with a line `Text:`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_TEXT = re.compile(r"^Text:[ \t]*$", re.MULTILINE)
_ANSWER = re.compile(r"^Answer:[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shown:
    """One per example in a prompt."""

    text: str
    answer: str


def question(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text under question: what follows the last line `Text:` of the last user message; all of it without one."""
    phrase = next((str(one.get("content", "")) for one in reversed(messages) if one.get("role") == "user"), "")
    text = _TEXT.split(phrase)[-1]
    return _ANSWER.split(text)[0].strip()


def shown(messages: Sequence[Mapping[str, Any]]) -> list[Shown]:
    """The examples of a prompt: `Text:` and `Answer:` blocks anywhere, and earlier turns of user and assistant."""
    examples = []
    for one in messages:
        for block in _TEXT.split(str(one.get("content", "")))[1:]:
            text, *answer = _ANSWER.split(block, maxsplit=1)
            if answer and answer[0].strip():
                examples.append(Shown(text.strip(), answer[0].strip()))
    for answers, found in itertools.pairwise(messages):
        if (answers.get("role"), found.get("role")) == ("user", "assistant"):
            examples.append(Shown(question([answers]), str(found.get("content", "")).strip()))
    return examples


@lru_cache(maxsize=100_000)
def words(text: str) -> frozenset[str]:
    """The words of a text, without case."""
    return frozenset(re.findall(r"\w+", text.lower()))


def alike(first: str, second: str) -> float:
    """Share of the words of two texts that both have, 0 to 1."""
    left, right = words(first), words(second)
    return len(left & right) / max(len(left | right), 1)
