"""A saved peft LoRA adapter, read as weight updates of the encoder: what every fine-tune's predictor begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tailtune.core.errors import MissingInputError
from tailtune.core.json_text import read_object
from tailtune.predictors.bert import Bert
from tailtune.predictors.encoder import open_bert
from tailtune.predictors.reading import encoder_path

ADAPTER, CONFIG, WEIGHTS = "adapter", "adapter_config.json", "adapter_model.safetensors"
HEAD, TAILTUNE = "head.safetensors", "tailtune.json"

_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Adapted:
    """One per fine-tune read from its folder.

    Attributes:
        base: The base encoder's folder.
        bert: The encoder with the adapter merged into it; fp32.
        heads: Tensors on top of it, by name.
        notes: What `tailtune.json` says.
        max_tokens: Of a text, or of a window.
    """

    base: Path
    bert: Bert
    heads: dict[str, Tensor]
    notes: dict[str, Any]
    max_tokens: int

    @classmethod
    def load(cls, folder: Path, more: Sequence[str], encoder: Path | None = None) -> Adapted:
        """Read what every fine-tune's artifact holds.

        Args:
            folder: With `adapter/`, `head.safetensors` and `tailtune.json`.
            more: What else this kind of fine-tune needs in it.
            encoder: The base encoder's folder; the embedded one when None.

        Raises:
            MissingInputError: Files are absent, all of them named; or the encoder's package is.
            ValueError: The adapter is of a kind this reader does not know.
        """
        required = (f"{ADAPTER}/{CONFIG}", f"{ADAPTER}/{WEIGHTS}", HEAD, *more, TAILTUNE)
        absent = [part for part in required if not (folder / part).is_file()]
        if absent:
            raise MissingInputError(f"{folder}: {', '.join(absent)} missing", hint="tailtune run <use-case>")
        notes = read_object(folder / TAILTUNE)
        base = encoder or encoder_path()
        try:
            deltas, heads = lora_deltas(folder / ADAPTER), load_file(folder / HEAD)
        except SafetensorError as error:
            raise MissingInputError(
                f"{folder}: its weights are torn or damaged ({error})", "tailtune run <use-case>"
            ) from error
        bert = open_bert(base, "fp32", deltas)
        max_tokens = min(int(notes["max_tokens"]), bert.max_positions)
        return cls(base, bert, heads, notes, max_tokens)


def lora_deltas(adapter: Path) -> dict[str, Tensor]:
    """Read a peft LoRA adapter as weight updates: scale · B A (out, in) float32 by module path of the encoder.

    peft's own merge computes the same; reading the two files directly spares its import (4 s) at serving time.

    Raises:
        ValueError: The adapter is of another kind than plain LoRA.
    """
    config = read_object(adapter / CONFIG)
    special = [name for name in ("use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out") if config.get(name)]
    if config.get("peft_type") != "LORA" or special:
        raise ValueError(f"{adapter / CONFIG}: expected a plain LoRA adapter, not {config.get('peft_type')} {special}")
    rank = int(config["r"])
    scale = float(config["lora_alpha"]) / (rank**0.5 if config.get("use_rslora") else rank)
    tensors = load_file(adapter / WEIGHTS)
    downs = {name.removesuffix(_DOWN): tensor for name, tensor in tensors.items() if name.endswith(_DOWN)}
    return {
        name.removeprefix(_PREFIX): scale * (tensors[name + _UP].float() @ down.float()) for name, down in downs.items()
    }
