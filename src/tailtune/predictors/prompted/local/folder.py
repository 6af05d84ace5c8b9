"""The folder of a local language model: what must lie in it, and how it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailtune.core.errors import MissingInputError, TailTuneError

CONFIG = "config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_CODE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_SAVE = "save it with model.save_pretrained(FOLDER) and tokenizer.save_pretrained(FOLDER) of transformers"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One per model in memory.

    Attributes:
        model: A transformers causal language model, in evaluation mode.
        tokenizer: Its fast tokenizer, padding on the left.
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
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils import logging

    from tailtune.predictors.bert import keep_freed_memory
    from tailtune.predictors.encoder import has_fast_bf16

    logging.disable_progress_bar()
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = torch.cuda.is_bf16_supported() if device == "cuda" else has_fast_bf16()
    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, padding_side="left", **own)
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
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = min(ends)
    # The folder's own habits of sampling and of penalties would shape answers unseen.
    model.generation_config = GenerationConfig(eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id)
    return Loaded(model.eval().to(device), tokenizer, ends, _positions(folder), device)


def _ends(tokenizer: Any, model: Any) -> frozenset[int]:
    """A chat model often ends a turn with another token than a text."""
    named = [tokenizer.eos_token_id, model.config.eos_token_id, model.generation_config.eos_token_id]
    flat = [one for several in named for one in (several if isinstance(several, list | tuple) else [several])]
    return frozenset(int(one) for one in flat if one is not None)


def _positions(folder: Path) -> int | None:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    inner = config.get("text_config", {})  # of a model that reads pictures too
    named = [one.get(name) for one in (config, inner) for name in ("max_position_embeddings", "n_positions")]
    return next((int(found) for found in named if found), None)
