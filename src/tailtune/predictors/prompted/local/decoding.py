"""Answers written by a causal model: a beginning that prompts share is read once, forced tokens are read together."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tailtune.predictors.prompted.local.grammar import Writer

_WORTH_TOKENS = 64  # fewer tokens spared do not pay for a pass of their own


@dataclass(frozen=True, slots=True)
class Spent:
    """One per answer: milliseconds of its whole batch until it was complete."""

    infer_ms: float
    decode_ms: float


@dataclass(frozen=True, slots=True)
class _Head:
    """How recent prompts began, and its keys and values in each layer, shape (1, heads, tokens, width)."""

    tokens: tuple[int, ...] = ()
    layers: tuple[tuple[Any, Any], ...] = ()


@dataclass(slots=True)
class _Row:
    """One per answer in the making.

    Attributes:
        place: In the batch as it was asked for.
        writer: Chooses the tokens.
        unread: Tokens that the model reads next.
        read: How many it has read, those of the prompt included.
    """

    place: int
    writer: Writer
    unread: list[int]
    read: int = 0


@dataclass(slots=True)
class _Clock:
    """Milliseconds of a batch, inference apart from choosing."""

    infer_s: float = 0.0
    decode_s: float = 0.0
    _since: float = field(default_factory=time.perf_counter)

    def inferred(self) -> None:
        """The time since the last call of either kind was inference."""
        self.infer_s += self._lap()

    def decoded(self) -> None:
        """The time since the last call of either kind went into choosing."""
        self.decode_s += self._lap()

    def spent(self) -> Spent:
        return Spent(self.infer_s * 1000, self.decode_s * 1000)

    def _lap(self) -> float:
        since, self._since = self._since, time.perf_counter()
        return self._since - since


class Decoder:
    """Writes answers with one model, and remembers how its prompts begin.

    Keys and values of a beginning are the same whatever follows it, so prompts that share one read only what differs.
    Which beginning to keep is seen from the prompts alone: the longest one that a batch, or a batch and its neighbour,
    have in common. Any model whose layers all attend to what was read can do so; windows of attention stay in the mask.

    Limit: a model with other layers (state spaces, convolutions) reads each prompt from its start, alone, and one token
    a pass. Answers are those of a whole reading up to rounding.

    Args:
        model: A transformers causal language model, in evaluation mode.
        device: Where its weights are.
    """

    def __init__(self, model: Any, device: str = "cpu") -> None:
        self._model, self._device = model, device
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self._shares, self._window = _only_attends(model), _window(model)
        self._head = _Head()
        self._before: Sequence[int] = ()

    def write(
        self, prompts: Sequence[Sequence[int]], writers: Sequence[Writer], most: int, after: Sequence[int] = ()
    ) -> list[Spent]:
        """Let writers write answers to prompts, all at once.

        Args:
            prompts: Token ids, at least one each.
            writers: One per prompt.
            most: Tokens of an answer.
            after: The prompt that will be asked next, if it is known.

        Returns:
            What each answer took. Answers of a batch wait for each other, as requests to a busy server do.
        """
        import torch

        with torch.inference_mode():
            if self._together(max(map(len, prompts)) + most):
                return self._batch(prompts, writers, most, after)
            spent = []
            for place, (prompt, writer) in enumerate(zip(prompts, writers, strict=True)):
                following = prompts[place + 1] if place + 1 < len(prompts) else after
                spent += self._batch([prompt], [writer], most, following)
            return spent

    def _together(self, longest: int) -> bool:
        """Whether padding changes nothing: a window of attention would count what fills a row up."""
        return self._shares and "position_ids" in self._takes and (self._window is None or longest <= self._window)

    def _batch(
        self, prompts: Sequence[Sequence[int]], writers: Sequence[Writer], most: int, after: Sequence[int]
    ) -> list[Spent]:
        clock = _Clock()
        head = self._head_for(prompts, after) if self._shares else _Head()
        shared = len(head.tokens)
        cache = self._cache(head, len(prompts))
        rows = [
            _Row(place, writer, [*prompt[shared:], *writer.forced()], shared)
            for place, (prompt, writer) in enumerate(zip(prompts, writers, strict=True))
        ]
        mask = [[1] * shared for _ in rows]
        spent = [Spent(0.0, 0.0)] * len(rows)
        clock.inferred()
        while rows:
            scores = self._pass(rows, mask, cache).float().cpu().numpy()  # waits for the device: part of inference
            clock.inferred()
            for row, its_scores in zip(rows, scores, strict=True):
                row.unread = [row.writer.take(its_scores)]
                row.unread += row.writer.forced()
            clock.decoded()
            going = [at for at, row in enumerate(rows) if not row.writer.done and len(row.writer.tokens) < most]
            for at in set(range(len(rows))) - set(going):
                spent[rows[at].place] = clock.spent()
            if going and len(going) < len(rows):
                cache.batch_select_indices(going)
            rows, mask = [rows[at] for at in going], [mask[at] for at in going]
        self._before = prompts[-1]
        return spent

    def _pass(self, rows: Sequence[_Row], mask: Sequence[list[int]], cache: Any) -> Any:
        """Scores (rows, vocabulary) of what follows each row's unread tokens, which are then read; masks grow."""
        if not self._shares and rows[0].read:  # a state takes one token at a time
            (row,) = rows
            for token in row.unread[:-1]:
                self._scores([replace(row, unread=[token])], mask, cache)
                row.read += 1
            row.unread = row.unread[-1:]
        scores = self._scores(rows, mask, cache)
        for row in rows:
            row.read += len(row.unread)
        return scores

    def _scores(self, rows: Sequence[_Row], mask: Sequence[list[int]], cache: Any) -> Any:
        """The same in a single pass, rows filled up on the left."""
        width = max(len(row.unread) for row in rows)
        tokens, positions = [], []
        for row, its_mask in zip(rows, mask, strict=True):
            filled = [0] * (width - len(row.unread))
            tokens.append(filled + row.unread)
            positions.append(filled + list(range(row.read, row.read + len(row.unread))))
            its_mask += filled + [1] * len(row.unread)
        return self._read(tokens, positions, mask, cache)

    def _read(self, tokens: Any, positions: Any, mask: Any, cache: Any) -> Any:
        """Scores (rows, vocabulary) behind the last of some tokens."""
        import torch

        given: dict[str, Any] = {"input_ids": tokens, "position_ids": positions, "attention_mask": mask}
        given = {name: torch.tensor(value, device=self._device) for name, value in given.items() if name in self._takes}
        if "logits_to_keep" in self._takes:
            given["logits_to_keep"] = 1
        return self._model(**given, past_key_values=cache, use_cache=True).logits[:, -1]

    def _head_for(self, prompts: Sequence[Sequence[int]], after: Sequence[int]) -> _Head:
        """The beginning of these prompts that needs no reading any more; read now where others will have use of it."""
        groups = [prompts, *([*prompts, near] for near in (self._before, after) if near)]
        most = min(map(len, prompts)) - 1  # something must be left to read
        known = min(_common([self._head.tokens, prompts[0]]), _common(prompts), most)
        common = [min(_common(group), most) for group in groups]
        spares = [(length - known) * (len(group) - 1) for length, group in zip(common, groups, strict=True)]
        head = _cut(self._head, known)
        if max(spares) >= _WORTH_TOKENS:
            self._head = head = self._longer(head, prompts[0][: common[spares.index(max(spares))]])
        return head

    def _longer(self, head: _Head, tokens: Sequence[int]) -> _Head:
        """A beginning read on to the end of some tokens, which start with it."""
        cache, known = self._cache(head, 1), len(head.tokens)
        unread = list(tokens[known:])
        self._read([unread], [list(range(known, len(tokens)))], [[1] * len(tokens)], cache)
        return _Head(tuple(tokens), tuple((layer.keys, layer.values) for layer in cache.layers))

    def _cache(self, head: _Head, rows: int) -> Any:
        """Keys and values of a beginning, for each row."""
        from transformers import DynamicCache

        if not self._shares:
            return DynamicCache(config=self._model.config)
        cache = DynamicCache()  # without the config: windows keep everything too, so that it can be cut
        for at, (keys, values) in enumerate(head.layers):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), at)
        return cache


def _cut(head: _Head, length: int) -> _Head:
    if length == len(head.tokens):
        return head
    if not length:
        return _Head()
    return _Head(
        head.tokens[:length], tuple((keys[:, :, :length], values[:, :, :length]) for keys, values in head.layers)
    )


def _common(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all of them begin with alike."""
    listed = [list(prompt) for prompt in prompts]
    first, last = min(listed), max(listed)  # in order, so that what these two share, all share
    end = min(len(first), len(last))
    return next((at for at in range(end) if first[at] != last[at]), end)


def _layers(model: Any) -> list[Any]:
    """What transformers keeps for each layer of a model; empty."""
    from transformers import DynamicCache

    return list(DynamicCache(config=model.config).layers)


def _only_attends(model: Any) -> bool:
    """Whether every layer keeps keys and values of single tokens, so that what is kept can be cut anywhere."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    layers = _layers(model)
    return bool(layers) and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _window(model: Any) -> int | None:
    """The shortest window of attention of a model's layers; None where all see everything."""
    return min((layer.sliding_window for layer in _layers(model) if hasattr(layer, "sliding_window")), default=None)
