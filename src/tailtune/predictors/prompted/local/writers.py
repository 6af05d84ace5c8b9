"""What picks the next token of an answer: freely, or held to a grammar with the way to a valid end always known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tailtune.core.language import Ask
from tailtune.predictors.base import Floats
from tailtune.predictors.prompted.local.ways import Quoting, Ways, allowed

Choose = Callable[[Floats], int]
_LARGE = 1e30  # what is allowed stays above what is not, also when scores overflow


class Writer(Protocol):
    """One per answer.

    Attributes:
        tokens: Chosen so far, without the one that ends the answer.
        done: Whether the answer is complete.
    """

    tokens: list[int]
    done: bool

    def take(self, scores: Floats) -> int:
        """Choose the next token by scores (vocabulary,)."""

    def text(self) -> str:
        """What was written."""


def chooser(ask: Ask, temperature: float) -> Choose:
    """How a token is picked from scores: the likeliest, or drawn with a seed that only the request decides.

    Drawing adds Gumbel noise and takes the largest, which equals drawing from the softmax (Maddison et al. 2014,
    https://arxiv.org/abs/1411.0030). What other requests are in the batch changes nothing.

    Args:
        ask: The request; its `sample` gives another seed.
        temperature: 0 takes the likeliest token.
    """
    if temperature == 0:
        return lambda scores: int(scores.argmax())
    asked = json.dumps([[one.role, one.content] for one in ask.messages] + [ask.sample])
    seed = int.from_bytes(hashlib.sha256(asked.encode()).digest()[:8])
    random = np.random.default_rng(seed)
    return lambda scores: int((scores / temperature + random.gumbel(size=scores.shape)).argmax())


class Free:
    """Writes what the model says until it ends its turn.

    Args:
        choose: Picks a token.
        tokenizer: Of transformers.
        ends: Ids that end an answer.
        stops: Texts at which an answer is cut.
    """

    def __init__(self, choose: Choose, tokenizer: Any, ends: frozenset[int], stops: Sequence[str] = ()) -> None:
        self.tokens: list[int] = []
        self.done = False
        self._choose, self._tokenizer, self._ends, self._stops = choose, tokenizer, ends, stops
        self._words = len(tokenizer)

    def take(self, scores: Floats) -> int:
        """Choose among all tokens that the tokenizer knows."""
        token = self._choose(scores[: self._words])
        if token in self._ends:
            self.done = True
            return token
        self.tokens.append(token)
        if self._stops:
            tail = self._tokenizer.decode(self.tokens[-12:])
            self.done = any(stop in tail for stop in self._stops)
        return token

    def text(self) -> str:
        """What was written, up to the first stop."""
        text: str = self._tokenizer.decode(self.tokens, skip_special_tokens=True)
        for stop in self._stops:
            text = text.partition(stop)[0]
        return text


class Held:
    """Writes what the model likes best among what a grammar allows, and ends within a number of tokens.

    It always knows a way from here to a valid end. A token that the way does not name is taken only when a way from
    behind it still fits into the tokens that are left; otherwise the way is followed. So an answer is valid whatever
    the model says, unless not even the way from the start fits.

    Args:
        choose: Picks a token.
        grammar: As llguidance reads it.
        tokenizer: llguidance's.
        ways: Of the same tokenizer.
        ends: Ids that end an answer.
        most: Tokens of the answer.

    Attributes:
        needs_tokens: Of the shortest known answer; None when no way to an end is known, and nothing is promised.
    """

    def __init__(
        self, choose: Choose, grammar: str, tokenizer: Any, ways: Ways, ends: frozenset[int], most: int
    ) -> None:
        from llguidance import LLMatcher

        self.tokens: list[int] = []
        self.done = False
        self._choose, self._tokenizer, self._ways, self._ends, self._most = choose, tokenizer, ways, ends, most
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        self._quoting = Quoting()
        self._way = ways.on(self._matcher, self._quoting)
        self.needs_tokens = None if self._way is None else len(self._way)

    def take(self, scores: Floats) -> int:
        """Choose among the allowed tokens."""
        mask = allowed(self._matcher)[: len(scores)]
        held = np.full_like(scores, -np.inf)
        held[: len(mask)][mask] = np.nan_to_num(scores[: len(mask)][mask], nan=-_LARGE, posinf=_LARGE, neginf=-_LARGE)
        token = self._kept(self._choose(held))
        if token in self._ends:
            self.done = True
            return token
        self.tokens.append(token)
        self._quoting = self._behind(token)
        left = self._most - len(self.tokens)
        self.done = self._matcher.is_stopped() or (not left and self._matcher.is_accepting())
        return token

    def text(self) -> str:
        """What was written; only one that was cut off may end in half a character."""
        found: bytes = self._tokenizer.decode_bytes(self.tokens)
        return found.decode(errors="replace")

    def _kept(self, token: int) -> int:
        """The token if an end is still in reach behind it, else the way's next one; the matcher goes on behind it."""
        if token in self._ends:
            return token
        left = self._most - len(self.tokens) - 1
        self._matcher.consume_token(token)
        if self._way and token == self._way[0]:
            self._way = self._way[1:]
            return token
        way = self._ways.on(self._matcher, self._behind(token))
        fits = way is not None and len(way) <= left
        if fits or self._way is None or len(self._way) - 1 > left:
            self._way = way
            return token
        self._matcher.rollback(1)
        if not self._way:  # complete as it is
            return min(self._ends)
        self._matcher.consume_token(self._way[0])
        token, self._way = self._way[0], self._way[1:]
        return token

    def _behind(self, token: int) -> Quoting:
        return self._quoting.after(self._tokenizer.decode_bytes([token]))
