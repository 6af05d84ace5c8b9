"""Between a task and a prompt: what a prompt may name, how an example is written, how a reply is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tailtune.core.records import Answer

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

    def shown(self, label: str) -> str:
        """A row's label as a reply should have it: what an example in a prompt shows."""

    def keys(self, label: str) -> tuple[str, ...]:
        """What examples should cover: the label; the fields that have a value."""

    def card(self) -> dict[str, Any]:
        """Everything needed to make the codec again, as JSON values."""


CodecFrom = Callable[[Mapping[str, Any]], Codec]
"""Makes a codec from its `card`."""


def undescribed(codec: Codec) -> list[str]:
    """Labels or fields that prompts have no description for."""
    listed = [held for held in codec.variables().values() if isinstance(held, list)]
    return [one["name"] for held in listed for one in held if not one["description"]]
