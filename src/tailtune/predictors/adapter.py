"""A saved peft LoRA adapter, read as weight updates of the encoder: what every fine-tune's predictor begins with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from tailtune.core.errors import MissingInputError

ADAPTER, CONFIG, WEIGHTS = "adapter", "adapter_config.json", "adapter_model.safetensors"
HEAD, TAILTUNE = "head.safetensors", "tailtune.json"

_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def require_files(folder: Path, more: Sequence[str]) -> None:
    """Make sure that a fine-tune's folder is whole.

    Args:
        folder: With `adapter/`, `head.safetensors` and `tailtune.json`.
        more: What else this kind of fine-tune needs.

    Raises:
        MissingInputError: A file is absent; all of them are named.
    """
    required = (f"{ADAPTER}/{CONFIG}", f"{ADAPTER}/{WEIGHTS}", HEAD, *more, TAILTUNE)
    absent = [part for part in required if not (folder / part).is_file()]
    if absent:
        raise MissingInputError(f"{folder}: {', '.join(absent)} missing", hint="tailtune run <use-case>")


def lora_deltas(adapter: Path) -> dict[str, Tensor]:
    """Read a peft LoRA adapter as weight updates: scale · B A (out, in) float32 by module path of the encoder.

    peft's own merge computes the same; reading the two files directly spares its import (4 s) at serving time.

    Raises:
        ValueError: The adapter is of another kind than plain LoRA.
    """
    config = json.loads((adapter / CONFIG).read_text())
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
