"""What every fine-tune's predictor begins with: its encoder, exported or with the adapter merged, and its heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from tailtune.core.errors import MissingInputError
from tailtune.core.json_text import read_object
from tailtune.predictors.base import Floats
from tailtune.predictors.encoder import Stack, open_stack
from tailtune.predictors.reading import ADAPTER, CONFIG, WEIGHTS, encoder_path, served_encoder

HEAD, TAILTUNE = "head.safetensors", "tailtune.json"
_ADAPTER_FILES = (f"{ADAPTER}/{CONFIG}", f"{ADAPTER}/{WEIGHTS}")


@dataclass(frozen=True)
class FineTuned:
    """One per fine-tune read from its folder.

    Attributes:
        encoder: The folder with the encoder's tokenizer: of the exported one, or of the base.
        stack: The encoder, adapter merged.
        heads: Arrays on top of it, by name.
        notes: What `tailtune.json` says.
        max_tokens: Of a text, or of a window.
    """

    encoder: Path
    stack: Stack
    heads: dict[str, Floats]
    notes: dict[str, Any]
    max_tokens: int

    @classmethod
    def load(cls, folder: Path, more: Sequence[str], base: Path | None = None, kinds: str = "") -> FineTuned:
        """Read what every fine-tune's artifact holds: as exported where it is, else on PyTorch.

        Args:
            folder: With `head.safetensors`, `tailtune.json`, and `encoder/` or `adapter/`.
            more: What else this kind of fine-tune needs in it.
            base: The base encoder's folder; the embedded one when None.
            kinds: Name of the head that is added to the embedding of each token by how its word is written.

        Raises:
            MissingInputError: Files are absent, all of them named; or damaged; or the encoder's package is absent.
            ValueError: The adapter is of a kind this reader does not know.
        """
        exported = served_encoder(folder)
        required = (*(_ADAPTER_FILES if exported is None else ()), HEAD, *more, TAILTUNE)
        absent = [part for part in required if not (folder / part).is_file()]
        if absent:
            raise MissingInputError(f"{folder}: {', '.join(absent)} missing", hint="tailtune run <use-case>")
        notes = read_object(folder / TAILTUNE)
        encoder = exported or base or encoder_path()
        try:
            heads: dict[str, Floats] = load_file(folder / HEAD)
            stack = open_stack(encoder) if exported else _merged(folder, encoder, heads.get(kinds))
        except SafetensorError as error:
            raise MissingInputError(
                f"{folder}: its weights are torn or damaged ({error})", "tailtune run <use-case>"
            ) from error
        return cls(encoder, stack, heads, notes, min(int(notes["max_tokens"]), stack.max_positions))


def _merged(folder: Path, base: Path, kinds: Floats | None) -> Stack:
    import torch

    from tailtune.predictors.adapter import merged
    from tailtune.predictors.torch_encoder import TorchStack

    return TorchStack(merged(folder, base), None if kinds is None else torch.from_numpy(kinds))
