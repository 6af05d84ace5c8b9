"""A local causal model as a language model: read from a folder, asked in batches, kept in the cache, timed in parts."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError, MissingInputError, OutOfBoundsError, TailTuneError, UsageError
from tailtune.core.json_text import read_object
from tailtune.core.language import Ask, Message, OnReply, Reply, Timing
from tailtune.predictors.prompted.embedded import folder_of, lacking
from tailtune.predictors.prompted.local.decoding import Decoder, Spent
from tailtune.predictors.prompted.local.grammar import (
    Choose,
    Constrained,
    Free,
    Grammar,
    Ways,
    Writer,
    chooser,
    grammar_of,
    without_repeats,
)
from tailtune.predictors.prompted.weights import digest_of

CONFIG = "config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_CODE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_SAVE = "save it with model.save_pretrained(FOLDER) and tokenizer.save_pretrained(FOLDER) of transformers"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One per model in memory.

    Attributes:
        model: A transformers causal language model, in evaluation mode.
        tokenizer: Its fast tokenizer.
        ends: Ids of tokens that end an answer.
        positions: Most tokens of prompt and answer together; None when its config names no limit.
        device: Where the weights are.
    """

    model: Any
    tokenizer: Any
    ends: frozenset[int]
    positions: int | None
    device: str


def require_model(folder: Path) -> None:
    """Make sure that a folder can be read without running code from it.

    Raises:
        MissingInputError: The folder, its config, its tokenizer or its weights are absent, or weights are there as
            pickle only.
    """
    if not folder.is_dir():
        raise MissingInputError(
            f"{folder}: no such folder; prompt.models names it as the folder of a local model",
            "correct `folder` in model.yaml (it is relative to the project root), or put the model there",
        )
    if not (folder / CONFIG).is_file():
        raise MissingInputError(f"{folder}: {CONFIG} missing, expected a causal model as transformers saves it", _SAVE)
    if not any(folder.glob("*.safetensors")):
        code = sorted(path.name for path in folder.iterdir() if path.suffix in _CODE)
        found = f"weights only as {', '.join(code[:3])}, which run code when read" if code else "no weights"
        raise MissingInputError(f"{folder}: {found}; expected *.safetensors", _SAVE)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise MissingInputError(f"{folder}: no tokenizer, expected {' or '.join(_TOKENIZERS)}", _SAVE)


def load(folder: Path) -> Loaded:
    """Read a model: on a GPU where there is one, else on the CPU, in bfloat16 where the hardware multiplies it.

    Args:
        folder: As `require_model` wants it; nothing is fetched, and no code from it is run.

    Raises:
        MissingInputError: Something is absent.
        TailTuneError: The files are not those of a causal language model, or the tokenizer names no end of a text.
    """
    require_model(folder)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from tailtune.predictors.bert import keep_freed_memory
    from tailtune.predictors.torch_encoder import has_fast_bf16

    logging.disable_progress_bar()
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = torch.cuda.is_bf16_supported() if device == "cuda" else has_fast_bf16()
    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **own)
        model = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype=torch.bfloat16 if fast else torch.float32, **own
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise TailTuneError(f"{folder}: not readable as a causal language model: {why}", _SAVE) from error
    ends = _ends(tokenizer, model)
    if not ends or not tokenizer.is_fast:
        what = "names no token that ends a text" if tokenizer.is_fast else "is not a fast one (tokenizer.json)"
        raise TailTuneError(f"{folder}: its tokenizer {what}; an answer could not be ended or held to a schema", _SAVE)
    return Loaded(model.eval().to(device), tokenizer, ends, _positions(folder), device)


def _ends(tokenizer: Any, model: Any) -> frozenset[int]:
    """A chat model often ends a turn with another token than a text."""
    named = [tokenizer.eos_token_id, model.config.eos_token_id, model.generation_config.eos_token_id]
    flat = [token for several in named for token in (several if isinstance(several, list | tuple) else [several])]
    return frozenset(int(token) for token in flat if token is not None)


def _positions(folder: Path) -> int | None:
    config = read_object(folder / CONFIG, _SAVE)
    inner = config.get("text_config", {})  # of a model that reads pictures too
    named = [section.get(name) for section in (config, inner) for name in ("max_position_embeddings", "n_positions")]
    return next((int(found) for found in named if found), None)


PLAIN_STOPS = ("\n\nUser:", "\n\nSystem:")
"""Where a model without turns of its own begins to speak for others."""
_SPOKEN = {"system": "System", "user": "User", "assistant": "Assistant"}


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a prompt, up to where the answer begins.

    Written in the model's own chat template, or as `System:`, `User:`, `Assistant:` where it has none. A template that
    knows no system message finds it in front of the first user message.

    Args:
        tokenizer: Of transformers.
        messages: The prompt; special tokens written out in them are broken up, so that a text cannot end its turn.

    Raises:
        MissingInputError: The model's chat template cannot be used: it takes too much, or takes no such messages.
    """
    turns = [{"role": message.role, "content": _harmless(tokenizer, message.content)} for message in messages]
    if not tokenizer.chat_template:
        found: list[int] = tokenizer(plain(turns))["input_ids"]
        return found
    from jinja2 import TemplateError

    try:
        try:
            return _templated(tokenizer, turns)
        except TemplateError:
            return _templated(tokenizer, _without_system(turns))
    except (TemplateError, OutOfBoundsError) as error:
        raise MissingInputError(
            f"{tokenizer.name_or_path}: the model's chat template cannot be used: {' '.join(str(error).split())[:200]}",
            "mend chat_template in its tokenizer_config.json, or declare another model",
        ) from None


def plain(turns: Sequence[dict[str, str]]) -> str:
    """A dialogue as text, ending where the assistant speaks."""
    return "\n\n".join([*(f"{_SPOKEN[turn['role']]}:\n{turn['content']}" for turn in turns), "Assistant:\n"])


def _templated(tokenizer: Any, turns: Sequence[dict[str, str]]) -> list[int]:
    """As `apply_chat_template` would, but within bounds: a template comes with the model, from whoever made that."""
    from tailtune.predictors.prompted.sandbox import render_chat

    values = {"messages": turns, "tools": None, "documents": None, "add_generation_prompt": True}
    text = render_chat(tokenizer.get_chat_template(), {**tokenizer.special_tokens_map, **values})
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _without_system(turns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    system = [turn["content"] for turn in turns if turn["role"] == "system"]
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    if system and rest:
        rest[0]["content"] = "\n\n".join([*system, rest[0]["content"]])
    return rest


def _harmless(tokenizer: Any, text: str) -> str:
    for special in tokenizer.all_special_tokens:
        if len(special) > 1 and special in text:
            text = text.replace(special, f"{special[0]} {special[1:]}")
    return text


_VERSION = 2  # of how answers are made; another one asks again


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
        folder = folder_of(spec, root)
        if folder is None:
            raise ValueError(f"{spec.name} has no folder; it is an endpoint")
        if lacking(spec):
            raise MissingInputError(lacking(spec), f"declare another model than {spec.embedded}, or install it")
        self._spec, self._cache, self._folder = spec, cache, folder
        require_model(self._folder)
        self._grammars: dict[str, Grammar] = {}
        self._alone = threading.Lock()

    @property
    def name(self) -> str:
        """As declared."""
        return self._spec.name

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in order; those of equal length are written together. Threads wait for each other.

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
        # What prompts share is kept between requests, and one request takes all cores anyway.
        with self._alone:
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
            many, most = self._spec.concurrency, self._spec.max_output_tokens
            for start in range(0, len(order), many):
                batch = order[start : start + many]
                writers = [self._writer(asks[place]) for place in batch]
                after = prompts[order[start + many]][0] if start + many < len(order) else ()
                spent = self._decoder.write([prompts[place][0] for place in batch], writers, most, after)
                for place, writer, answer_spent in zip(batch, writers, spent, strict=True):
                    yield place, self._reply(asks[place], *prompts[place], writer, answer_spent)

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
            return self._constrained(choose, grammar.text)
        stops = () if loaded.tokenizer.chat_template else PLAIN_STOPS
        return Free(choose, loaded.tokenizer, loaded.ends, stops)

    def _constrained(self, choose: Choose, grammar: str) -> Constrained:
        most = self._spec.max_output_tokens
        writer = Constrained(choose, grammar, self._tokens, self._ways, self._loaded.ends, most)
        if writer.needs_tokens is not None and writer.needs_tokens > most:
            raise UsageError(
                f"{self.name}: the shortest answer that the schema allows takes about {writer.needs_tokens} tokens, "
                f"but max_output_tokens is {most}: every answer would be cut off",
                f"set max_output_tokens of {self.name} in model.yaml to {2 * writer.needs_tokens} or more",
            )
        return writer

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
        schema = ask.schema if self._spec.structured != "none" else None
        shaped = {
            "version": _VERSION,
            "model": self._digest,
            "messages": [[message.role, message.content] for message in ask.messages],
            "schema": None if schema is None else {"held": schema},  # the key under which earlier versions kept answers
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
    def _decoder(self) -> Decoder:
        return Decoder(self._loaded.model, self._loaded.device)

    @cached_property
    def _tokens(self) -> Any:
        """The tokenizer as llguidance reads it."""
        from llguidance.hf import from_tokenizer

        return from_tokenizer(self._loaded.tokenizer, eos_token=sorted(self._loaded.ends))

    @cached_property
    def _ways(self) -> Ways:
        return Ways(self._tokens)
