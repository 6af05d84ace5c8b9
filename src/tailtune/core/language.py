"""What a language model is asked and says, wherever it runs: an endpoint, or a causal model in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tailtune.core.money import Usd

PER_MESSAGE_TOKENS = 8  # role and separators of a chat template, beside a message's content
Form = Literal["json_schema", "json_object", "none"]
"""How an answer is held while it is written: to a schema, to JSON of any shape, to nothing."""
UNANSWERED = ("refused", "too long")
"""Why an answer could not be had: of all reasons why one cannot be used, those that no way of decoding mends."""


@dataclass(frozen=True, slots=True)
class Message:
    """One per turn of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One per request. Equal requests to equal models have equal keys in the cache.

    Attributes:
        messages: The prompt.
        schema: JSON Schema that the answer must satisfy, when decoding is constrained; None leaves it free.
        sample: 0 for the one answer that counts; 1, 2, … ask again to see how much answers vary.
    """

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """One per answered request, milliseconds. What was not seen is None: a kept-alive connection has no connect.

    Attributes:
        total_ms: From sending to the last byte, waiting for a free slot and retries not counted; NaN when not timed.
        parts: connect, tls, wait (to the first byte), body, server (told by the server itself, part of wait); for local
            models tokenise, infer, decode.
    """

    total_ms: float
    parts: Mapping[str, float] = field(default_factory=dict)


UNTIMED = Timing(math.nan)
Cut = Literal["", "prompt", "answer"]
"""What a server seems to have cut: the beginning of a prompt, or an answer before its limit; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One per request that was answered.

    Attributes:
        text: What the model said; None when it refused or said nothing.
        finish: stop, length, content_filter or what the server says.
        input_tokens: Of the prompt, charged attempts without an answer among them; None when not known. Counted here
            where the cost is estimated.
        output_tokens: Of the answer and of the reasoning before it, likewise.
        cached_input_tokens: Part of input_tokens that the endpoint had cached.
        usd: At list price; None when tokens or price are not known, 0 for local work and for what was never sent.
        usd_estimated: Whether usd is reckoned from tokens counted here, rather too many: a prompt that a filter refused
            carries no usage, and may be charged; and some servers report none.
        cache_write_tokens: Part of input_tokens that the endpoint wrote to its cache.
        reasoning_tokens: Part of output_tokens that is in no answer, as far as it was reported.
        cut: What the server seems to have cut.
        timing: Of the request that was answered, also when the answer comes from the cache.
        from_cache: Whether it was kept from an earlier run, so that it costs nothing now.
        retries: Requests sent again before it was answered.
        note: What was done otherwise than asked, e.g. that a schema was refused; empty mostly.
        form: How the answer was really held, whatever was asked.
    """

    text: str | None
    finish: str
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int = 0
    usd: Usd | None = None
    timing: Timing = UNTIMED
    from_cache: bool = False
    retries: int = 0
    note: str = ""
    form: Form = "none"
    usd_estimated: bool = False
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cut: Cut = ""


OnReply = Callable[[int, Reply], None]


class LanguageModel(Protocol):
    """Answers requests; order is kept."""

    @property
    def name(self) -> str:
        """As declared."""

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in order.

        Args:
            asks: The requests.
            on_reply: Called in this thread with (place, reply) as each is answered, in any order.

        Raises:
            BudgetReachedError: Money ran out; what was answered is in it, and in the cache.
            ContextTooLongError: A prompt does not fit.
            EndpointError: The endpoint does not answer, refuses the key, or knows no such model.
        """

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, or an estimate that is rather too high."""
