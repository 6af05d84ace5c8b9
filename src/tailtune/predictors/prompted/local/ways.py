"""From any place in a grammar to a valid end in few tokens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NULL = ("null", " null", " ")
_ENDINGS = ("}", "]", ", ", ",", ": ", ":", *_NULL, '"', "false", "true", *"0123456789", "[", "{", "-", ".")
"""Outside of strings, what leads to the end of a JSON value soonest comes first."""
_MARKS = "@.:+-"
"""Inside of strings, what e-mail addresses, times and phone numbers cannot do without comes before letters."""
_PLAIN = sorted(
    (chr(code) for code in range(32, 127) if chr(code) not in '"\\'),
    key=lambda char: (char not in _MARKS, not char.isalnum(), _MARKS.find(char), char),
)
_LONGEST = 20_000


class Quoting:
    """One per place in a JSON text: whether it lies inside a string."""

    __slots__ = ("_escaped", "inside")

    def __init__(self, inside: bool = False, escaped: bool = False) -> None:
        self.inside, self._escaped = inside, escaped

    def after(self, text: bytes) -> Quoting:
        """The place behind some more bytes."""
        inside, escaped = self.inside, self._escaped
        for byte in text:
            if escaped:
                escaped = False
            elif byte == ord("\\"):
                escaped = inside
            elif byte == ord('"'):
                inside = not inside
        return Quoting(inside, escaped)


class Ways:
    """Finds the ways of all answers of one model.

    Args:
        tokenizer: llguidance's.

    Limit: a way is short, not the shortest. Where a pattern goes round in loops, the characters it used least come
    first, which leads out of all loops that were seen.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._endings = self._single(_ENDINGS)
        self._quote = self._single('"')
        self._plain = self._single(_PLAIN)

    def on(self, matcher: Any, quoting: Quoting) -> list[int] | None:
        """Tokens from where a matcher is to a valid end; None when none was found. The matcher stays where it is."""
        way: list[int] = []
        used: Counter[int] = Counter()
        while not matcher.is_accepting() and len(way) < _LONGEST:
            step = matcher.compute_ff_tokens() or [self._nearest(matcher, quoting, used)]
            if not matcher.consume_tokens(step):
                return None
            way += step
            quoting = quoting.after(self._tokenizer.decode_bytes(step))
        ended = matcher.is_accepting()
        matcher.rollback(len(way))
        return way if ended else None

    def _nearest(self, matcher: Any, quoting: Quoting, used: Counter[int]) -> int:
        """The token that leads to the end soonest, by what JSON is."""
        if quoting.inside:
            tokens = [*self._quote, *sorted(self._plain, key=lambda token: used[token])]
        else:
            tokens = self._endings
        token = next((one for one in tokens if matcher.validate_tokens([one]) == 1), None)
        if token is None:  # half a character, or a way of writing that this tokenizer has no short tokens for
            token = min(np.flatnonzero(allowed(matcher)).tolist(), key=lambda one: (used[one], one))
        used[token] += 1
        return int(token)

    def _single(self, texts: Any) -> list[int]:
        """Those of some texts that are one token."""
        found = [self._tokenizer.greedy_tokenize(text) for text in texts]
        return [int(tokens[0]) for tokens in found if len(tokens) == 1]


def allowed(matcher: Any) -> NDArray[np.bool_]:
    """Which tokens a grammar allows next, shape (vocabulary,) or a little longer."""
    bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little").astype(np.bool_)
