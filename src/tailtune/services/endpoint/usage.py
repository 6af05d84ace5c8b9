"""What an answer is charged for: the tokens in a server's `usage`, whichever of its habits it has in counting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.core.money import Usd

_MOST_TOKENS = 10**9  # of one request; what claims more is no count
_PROMPT, _COMPLETION = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")
_CACHED = ("cached_tokens", "cache_read_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_BESIDE = ("cache_read_input_tokens", "cache_creation_input_tokens")  # with input_tokens these are never part of it


@dataclass(frozen=True, slots=True)
class Usage:
    """One per answer: the tokens that are charged.

    Attributes:
        input_tokens: Of the prompt, cached ones among them; None when they were not reported.
        output_tokens: Of the answer, with what the model thought before it; None when they were not reported.
        cached_input_tokens: Part of input_tokens that was read from the endpoint's cache.
        cache_write_tokens: Part of input_tokens that was written to it.
        reasoning_tokens: Part of output_tokens that is in no answer, as far as it was reported.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def usd(self, price: TokenPrice | None) -> Usd | None:
        """US dollars at list price; None when tokens or price are not known."""
        return list_usd(price, self.input_tokens, self.output_tokens, self.cached_input_tokens, self.cache_write_tokens)

    def bounded(self) -> Usage:
        """The same, each part at most what it is a part of."""
        cached = min(self.cached_input_tokens, self.input_tokens or 0)
        return Usage(
            self.input_tokens,
            self.output_tokens,
            cached,
            min(self.cache_write_tokens, (self.input_tokens or 0) - cached),
            min(self.reasoning_tokens, self.output_tokens or 0),
        )

    def plus(self, others: Iterable[Usage]) -> Usage:
        """Tokens of several attempts together; what is not reported of one of the others counts as none."""
        found = [self, *others]
        if None in (self.input_tokens, self.output_tokens) or len(found) == 1:
            return self
        return Usage(*(sum(getattr(each, field.name) or 0 for each in found) for field in fields(self)))


def read_usage(body: Mapping[str, Any]) -> Usage:
    """Read what a chat completion, or a refusal, says of its tokens.

    Servers differ in what they count where. OpenAI and DeepSeek count reasoning among `completion_tokens`; xAI, and
    Gemini behind several gateways, only in `total_tokens`: what the total has beyond its parts is charged, as output
    unless cached tokens explain it. OpenAI counts cached tokens among `prompt_tokens`; Anthropic's `input_tokens` are
    those beside the cache. A prompt of 0 tokens is not reported: there is none.

    Limit: tokens that a server reports nowhere are not counted.
    """
    usage = _object(body, "usage")
    read, written, total = _first(usage, _PROMPT) or None, _first(usage, _COMPLETION), _first(usage, ("total_tokens",))
    cached, kept = _first(usage, _CACHED, _PROMPT_DETAILS) or 0, _first(usage, _WRITTEN, _PROMPT_DETAILS) or 0
    thought = _first(usage, ("reasoning_tokens",), _COMPLETION_DETAILS) or 0
    if read is not None:
        beside = "prompt_tokens" not in usage and any(name in usage for name in _BESIDE)
        rest = 0 if total is None else total - read - (written or 0)
        explained = rest > 0 and rest != thought and rest in (cached + kept, cached + kept + thought)
        if beside or cached + kept > read or explained:
            read += cached + kept
    return Usage(read, _output(read, written, total, thought), cached, kept, thought).bounded()


def _output(read: int | None, written: int | None, total: int | None, thought: int) -> int | None:
    """Tokens that are charged as output: the largest that the figures allow, and never less than was reported."""
    known = [written] if written is not None else []
    if total is not None and read is not None:
        known += [total - read] if total >= read else []
    elif thought > (written or 0):  # more than the whole: it is no part of it
        known.append(thought + (written or 0))
    return max(known, default=None)


def _first(usage: Mapping[str, Any], names: Sequence[str], inside: Sequence[str] = ()) -> int | None:
    """The first count under one of these names: in the details, or beside them."""
    places = [*(_object(usage, name) for name in inside), usage]
    counts = (_count(place.get(name)) for place in places for name in names)
    return next((count for count in counts if count is not None), None)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _count(value: Any) -> int | None:
    """A number of tokens, also one written as 12.0; -1, 2⁶³ and the like are none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None
