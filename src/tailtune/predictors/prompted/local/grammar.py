"""A JSON Schema as a grammar that decoding is held to, and what picks the next token of an answer within it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tailtune.core.language import Ask
from tailtune.predictors.base import Floats

_LARGEST = 10**18  # a number of any length could fill the whole answer, and end as infinity
_NAME = r"[^\s@<>()\[\],;:\".\\]+"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_OTHER_DAY = r"(?:02-(?:[01][0-9]|2[0-8])|(?:0[13-9]|1[0-2])-[0-9]{2})"
_FORMATS: Mapping[str, tuple[str, ...]] = {
    # Beside the grammar's own rule, which has a year 0 and a 29 February in every year.
    "date": (r"^0{0,3}[1-9]", rf"^(?:{_LEAP}-02-29|[0-9]{{4}}-{_OTHER_DAY})$"),
    "time": (rf"^{_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?(?:Z|[+-]{_CLOCK})?$",),
    "email": (rf"^{_NAME}(?:\.{_NAME})*@", rf"^[^@]{{1,64}}@(?:{_HOST}\.){{1,4}}[A-Za-z]{{2,24}}$"),
    "phone": (r"^\+[1-9][0-9]{6,14}$",),
}
_BY_GRAMMAR = {"date", "ipv4", "ipv6", "uuid"}
_OPTIONS: dict[str, Any] = {
    "whitespace_flexible": False,  # blanks without end would be valid JSON
    "item_separator": ", ",  # as json.dumps writes, which is how examples in a prompt look
    "key_separator": ": ",
    "json_allowed_escapes": '"\\nt',  # \u could name half a character
    "lenient": True,  # what it does not know is told, not refused
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """One per schema.

    Attributes:
        text: As llguidance reads it; None when the schema could not be made one.
        unique: Whether lists must not repeat an entry, which no grammar can hold.
        note: What answers are not held to; empty mostly.
    """

    text: str | None
    unique: bool
    note: str


def grammar_of(schema: Mapping[str, Any], tokenizer: Any) -> Grammar:
    """The grammar of a schema.

    Args:
        schema: JSON Schema; local references are followed.
        tokenizer: llguidance's, of the model.

    Limit: patterns with look-around cannot be held to; they are left out, and the note says so.
    """
    from llguidance import LLMatcher

    unique, notes = '"uniqueItems": true' in json.dumps(schema), []
    bounded = _bounded(schema)
    for variant in (bounded, _without_patterns(bounded)):
        text = LLMatcher.grammar_from_json_schema(json.dumps(variant), overrides=_OPTIONS)
        matcher = LLMatcher(tokenizer, text, log_level=0)
        if not matcher.is_error():
            notes += matcher.get_grammar_warnings()
            return Grammar(text, unique, "; ".join(f"not held to the schema: {note}" for note in notes))
        why = matcher.get_error().strip().partition("\n")[0][:120]
        notes.append(f"patterns ({why})")
    return Grammar(None, unique, f"not held to the schema: {why}")


def without_repeats(schema: Mapping[str, Any], text: str) -> tuple[str, bool]:
    """An object with each entry of a `uniqueItems` list kept once, and whether anything was dropped.

    Args:
        schema: What the text satisfies otherwise.
        text: JSON.
    """
    value = json.loads(text)
    kept = _kept_once(schema, value, schema.get("$defs", {}))
    return (text, False) if kept == value else (json.dumps(kept, ensure_ascii=False), True)


def _bounded(node: Any) -> Any:
    """The schema with formats as patterns, numbers of finite length, and without what grammars do not know."""
    if isinstance(node, list):
        return [_bounded(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: value if key in {"enum", "const", "required", "default", "examples"} else _bounded(value)
        for key, value in node.items()
        if not (key == "uniqueItems" or key.startswith("x-"))
    }
    if isinstance(node.get("properties"), dict):  # its keys are names, not keywords
        made["properties"] = {name: _bounded(value) for name, value in node["properties"].items()}
    if {"number", "integer"} & set(_types(node)):
        made["minimum"] = max(node.get("minimum", -_LARGEST), -_LARGEST)
        made["maximum"] = min(node.get("maximum", _LARGEST), _LARGEST)
    format_ = node.get("format")
    if isinstance(format_, str) and format_ in _FORMATS:
        made["allOf"] = [*made.get("allOf", []), *({"pattern": pattern} for pattern in _FORMATS[format_])]
    if isinstance(format_, str) and format_ not in _BY_GRAMMAR:
        made.pop("format", None)
    return made


def _without_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_patterns(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_patterns(value)
        for key, value in node.items()
        if not (key == "pattern" and isinstance(value, str))
    }


def _types(node: Mapping[str, Any]) -> list[str]:
    named = node.get("type", [])
    return named if isinstance(named, list) else [named]


def _kept_once(node: Any, value: Any, defs: Mapping[str, Any]) -> Any:
    if not isinstance(node, dict):
        return value
    for inner in (*node.get("anyOf", []), *node.get("allOf", []), defs.get(str(node.get("$ref")).rpartition("/")[2])):
        value = _kept_once(inner, value, defs)
    if isinstance(value, list):
        entries = [_kept_once(node.get("items"), entry, defs) for entry in value]
        if node.get("uniqueItems"):
            entries = [entry for at, entry in enumerate(entries) if entry not in entries[:at]]
        return entries
    if isinstance(value, dict):
        inside = node.get("properties", {})
        return {name: _kept_once(inside.get(name), inner, defs) for name, inner in value.items()}
    return value


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
        token = next((candidate for candidate in tokens if matcher.validate_tokens([candidate]) == 1), None)
        if token is None:  # half a character, or a way of writing that this tokenizer has no short tokens for
            token = min(np.flatnonzero(allowed(matcher)).tolist(), key=lambda candidate: (used[candidate], candidate))
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

    def forced(self) -> list[int]:
        """Write the tokens that alone can come next; they need no scores."""

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
    request = json.dumps([[message.role, message.content] for message in ask.messages] + [ask.sample])
    seed = int.from_bytes(hashlib.sha256(request.encode()).digest()[:8])
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

    def forced(self) -> list[int]:
        """None: anything can come next."""
        return []

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


class Constrained:
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

    def forced(self) -> list[int]:
        """Write what the grammar leaves no choice about, as the tokenizer would write it."""
        begun = len(self.tokens)
        while not self.done and len(self.tokens) < self._most and (tokens := self._matcher.compute_ff_tokens()):
            self._write(tokens[0])
        return self.tokens[begun:]

    def take(self, scores: Floats) -> int:
        """Choose among the allowed tokens."""
        mask = allowed(self._matcher)[: len(scores)]
        masked = np.full_like(scores, -np.inf)
        masked[: len(mask)][mask] = np.nan_to_num(scores[: len(mask)][mask], nan=-_LARGE, posinf=_LARGE, neginf=-_LARGE)
        return self._write(self._choose(masked))

    def text(self) -> str:
        """What was written; only one that was cut off may end in half a character."""
        found: bytes = self._tokenizer.decode_bytes(self.tokens)
        return found.decode(errors="replace")

    def _write(self, token: int) -> int:
        """Write a token, or the one that leads to an end in time; the one that was written."""
        token = self._kept(token)
        if token in self._ends:
            self.done = True
            return token
        self.tokens.append(token)
        self._quoting = self._behind(token)
        left = self._most - len(self.tokens)
        self.done = self._matcher.is_stopped() or (not left and self._matcher.is_accepting())
        return token

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
