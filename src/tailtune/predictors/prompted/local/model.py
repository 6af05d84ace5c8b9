"""A local causal model as a language model: asked in batches, kept in the cache, timed in parts."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError, UsageError
from tailtune.core.language import Ask, OnReply, Reply, Timing
from tailtune.predictors.prompted.local.dialogue import PLAIN_STOPS, prompt_ids
from tailtune.predictors.prompted.local.folder import Loaded, load, require_model
from tailtune.predictors.prompted.local.generate import Spent, write
from tailtune.predictors.prompted.local.grammar import Grammar, grammar_of, without_repeats
from tailtune.predictors.prompted.local.ways import Ways
from tailtune.predictors.prompted.local.writers import Choose, Free, Held, Writer, chooser
from tailtune.services.weights import digest_of

_VERSION = 1  # of how answers are made; another one asks again


class Answers(Protocol):
    """Where answers are kept between runs."""

    def get(self, key: str) -> Reply | None:
        """The reply under a key, marked as from the cache."""

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""


class LocalModel:
    """Answers in this process. Weights are read at the first request that the cache does not answer.

    An answer held to a schema is valid and complete, whatever the weights. What of a schema no grammar can hold is told
    in `Reply.note`.

    Args:
        spec: With a folder; `concurrency` answers are written at once, `context_tokens` and `max_output_tokens` hold.
            Retries, timeout and price have no meaning here.
        root: What the folder is relative to.
        cache: Keeps answers between runs; None keeps none.

    Raises:
        MissingInputError: The folder does not hold a model that can be read safely.

    Limit: answers of a batch wait for each other, and each one's timing is the batch's; concurrency 1 measures a
    request that is alone.
    """

    def __init__(self, spec: LanguageModelSpec, root: Path, cache: Answers | None = None) -> None:
        if spec.folder is None:
            raise ValueError(f"{spec.name} has no folder; it is an endpoint")
        self._spec, self._cache = spec, cache
        self._folder = root / spec.folder
        require_model(self._folder)
        self._grammars: dict[str, Grammar] = {}

    @property
    def name(self) -> str:
        """As declared."""
        return self._spec.name

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in order; those of equal length are written together.

        Args:
            asks: The requests.
            on_reply: Called in this thread with (place, reply) as each is answered.

        Raises:
            ContextTooLongError: A prompt does not fit; nothing was asked.
            UsageError: A schema's shortest answer is longer than `max_output_tokens`.
            TailTuneError: The folder cannot be read as a causal language model.
        """
        found: dict[int, Reply] = {}

        def keep(place: int, reply: Reply) -> None:
            found[place] = reply
            if on_reply is not None:
                on_reply(place, reply)

        keys = [self._key(ask) for ask in asks] if self._cache is not None else []
        for place, key in enumerate(keys):
            kept = self._cache.get(key) if self._cache is not None else None
            if kept is not None:
                keep(place, kept)
        for place, reply in self._answered(asks, [at for at in range(len(asks)) if at not in found]):
            if self._cache is not None:
                self._cache.put(keys[place], reply)
            keep(place, reply)
        return [found[place] for place in range(len(asks))]

    def count_tokens(self, text: str) -> int:
        """Tokens of a text in the model's own vocabulary, without those that a chat template adds."""
        return len(self._loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _answered(self, asks: Sequence[Ask], places: Sequence[int]) -> Iterator[tuple[int, Reply]]:
        """Yield (place, reply) batch by batch, longest prompts first: what does not fit into memory fails at once."""
        if not places:
            return
        from tailtune.predictors.bert import settled

        prompts: dict[int, tuple[list[int], float]] = {place: self._prompt(asks[place], place) for place in places}
        order = sorted(places, key=lambda place: -len(prompts[place][0]))
        with settled(sum(len(ids) for ids, _ in prompts.values())):
            for start in range(0, len(order), self._spec.concurrency):
                batch = order[start : start + self._spec.concurrency]
                writers = [self._writer(asks[place]) for place in batch]
                spent = write(self._loaded, [prompts[p][0] for p in batch], writers, self._spec.max_output_tokens)
                for place, writer, one in zip(batch, writers, spent, strict=True):
                    yield place, self._reply(asks[place], *prompts[place], writer, one)

    def _prompt(self, ask: Ask, place: int) -> tuple[list[int], float]:
        """Token ids, and milliseconds to make them."""
        loaded, begun = self._loaded, time.perf_counter()
        ids = prompt_ids(loaded.tokenizer, ask.messages)
        spent_ms = (time.perf_counter() - begun) * 1000
        most = min(self._spec.context_tokens, loaded.positions or self._spec.context_tokens)
        if len(ids) + self._spec.max_output_tokens > most:
            raise ContextTooLongError(
                f"{self.name}: a prompt of {len(ids)} tokens and {self._spec.max_output_tokens} for the answer, "
                f"but the model takes {most} together",
                "lower prompt.shots or max_output_tokens in model.yaml, or take a model with a longer context",
                place,
            )
        return ids, spent_ms

    def _writer(self, ask: Ask) -> Writer:
        choose, loaded = chooser(ask, self._spec.temperature), self._loaded
        grammar = self._grammar(ask)
        if grammar is not None and grammar.text is not None:
            return self._held(choose, grammar.text)
        stops = () if loaded.tokenizer.chat_template else PLAIN_STOPS
        return Free(choose, loaded.tokenizer, loaded.ends, stops)

    def _held(self, choose: Choose, grammar: str) -> Held:
        most = self._spec.max_output_tokens
        held = Held(choose, grammar, self._tokens, self._ways, self._loaded.ends, most)
        if held.needs_tokens is not None and held.needs_tokens > most:
            raise UsageError(
                f"{self.name}: the shortest answer that the schema allows takes about {held.needs_tokens} tokens, but "
                f"max_output_tokens is {most}: every answer would be cut off",
                f"set max_output_tokens of {self.name} in model.yaml to {2 * held.needs_tokens} or more",
            )
        return held

    def _reply(self, ask: Ask, ids: Sequence[int], tokenise_ms: float, writer: Writer, spent: Spent) -> Reply:
        begun, grammar = time.perf_counter(), self._grammar(ask)
        text, notes = writer.text(), [grammar.note] if grammar is not None else []
        if ask.schema is not None and grammar is None:
            notes.append("not held to the schema: structured is none")
        if ask.schema is not None and grammar is not None and grammar.text and grammar.unique and writer.done:
            text, dropped = without_repeats(ask.schema, text)
            notes += ["repeated entries of a list were dropped"] if dropped else []
        decode_ms = spent.decode_ms + (time.perf_counter() - begun) * 1000
        parts = {"tokenise": tokenise_ms, "infer": spent.infer_ms, "decode": decode_ms}
        return Reply(
            text=text or None,
            finish="stop" if writer.done else "length",
            input_tokens=len(ids),
            output_tokens=len(writer.tokens),
            usd=0.0,
            timing=Timing(sum(parts.values()), parts),
            note="; ".join(note for note in notes if note),
            form="none" if grammar is None or grammar.text is None else "json_schema",
        )

    def _grammar(self, ask: Ask) -> Grammar | None:
        """The grammar of a request's schema, made once; None when decoding is free."""
        if ask.schema is None or self._spec.structured == "none":
            return None
        key = json.dumps(ask.schema, sort_keys=True)
        if key not in self._grammars:
            self._grammars[key] = grammar_of(ask.schema, self._tokens)
        return self._grammars[key]

    def _key(self, ask: Ask) -> str:
        """Everything that shapes an answer."""
        held = ask.schema if self._spec.structured != "none" else None
        shaped = {
            "version": _VERSION,
            "model": self._digest,
            "messages": [[one.role, one.content] for one in ask.messages],
            "schema": None if held is None else {"held": held},  # bare: kept before it was said how they were held
            "temperature": self._spec.temperature,
            "max_output_tokens": self._spec.max_output_tokens,
            "sample": ask.sample,
        }
        return hashlib.sha256(json.dumps(shaped, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _digest(self) -> str:
        return digest_of(self._folder)

    @cached_property
    def _loaded(self) -> Loaded:
        return load(self._folder)

    @cached_property
    def _tokens(self) -> Any:
        """The tokenizer as llguidance reads it."""
        from llguidance.hf import from_tokenizer

        return from_tokenizer(self._loaded.tokenizer, eos_token=sorted(self._loaded.ends))

    @cached_property
    def _ways(self) -> Ways:
        return Ways(self._tokens)
