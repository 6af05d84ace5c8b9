"""How a pretended server behaves, well or badly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FORMS = ("json_schema", "json_object")
Kind = Literal["status", "stall", "drip", "broken", "hang up", "empty", "null", "error in 200", "raw"]


@dataclass(frozen=True)
class Mishap:
    """One per request that goes wrong.

    Attributes:
        kind: status answers with one; stall says nothing; drip sends a byte now and then; broken sends half of its
            JSON; hang up closes the connection; empty has no choices; null has no content; error in 200 is what
            gateways do; raw sends status, headers and content as they are.
        status: HTTP status of kinds status and raw.
        retry_after_s: Is sent as Retry-After; None sends none.
        message: What the error says.
        content: Body of kind raw: bytes, or a value that is sent as JSON.
        headers: Of kind raw.
    """

    kind: Kind = "status"
    status: int = 500
    retry_after_s: float | None = None
    message: str = "something went wrong"
    content: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Conduct:
    """Everything about a pretended server that can be set, also while it runs.

    Attributes:
        latency_s: Pause before each answer.
        token_s: Pause for each word of the answer besides.
        headers: Sent with each answer, e.g. `{"openai-processing-ms": "12"}`.
        key: The only key it accepts; None accepts any and none.
        models: What it offers; none of them given, it answers to every name.
        lists_models: Whether it has `/models` at all.
        forms: What constrained decoding it knows.
        refuses: Fields of a request that it does not know, told as OpenAI tells it.
        context_words: Longest prompt, words; None is endless.
        filters: A word that no prompt may have.
        filtered: What comes of a prompt with it; None refuses it as OpenAI does.
        usage: Whether it tells tokens.
        bill: The usage it tells instead, from words of the prompt and words of the answer, as a provider would.
        cached_share: Share of a prompt's tokens that it says it had cached.
        finish: Why answers end.
        message: Laid over the message of each answer, e.g. `{"content": "", "reasoning_content": "…"}`.
        coming: Mishaps of the next requests, in order.
        every: A mishap for each so-manieth request; 0 for none.
        mishap: That mishap.
    """

    latency_s: float = 0.0
    token_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    models: tuple[str, ...] = ()
    lists_models: bool = True
    forms: tuple[str, ...] = FORMS
    refuses: tuple[str, ...] = ()
    context_words: int | None = None
    filters: str | None = None
    filtered: Mishap | None = None
    usage: bool = True
    bill: Callable[[int, int], Mapping[str, Any]] | None = None
    cached_share: float = 0.0
    finish: str = "stop"
    message: dict[str, Any] = field(default_factory=dict)
    coming: deque[Mishap] = field(default_factory=deque)
    every: int = 0
    mishap: Mishap = field(default_factory=Mishap)

    def next(self, *mishaps: Mishap) -> None:
        """Let the next requests go wrong so."""
        self.coming.extend(mishaps)
