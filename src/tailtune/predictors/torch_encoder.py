"""The encoder on PyTorch: how it is opened for this CPU, and how it answers batches; what stages compute with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.base import Floats
from tailtune.predictors.bert import Bert, keep_freed_memory, load_bert, settled

Precision = Literal["auto", "fp32", "bf16"]
_PAD = 0


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX); elsewhere it is emulated and slow."""
    try:
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    except AttributeError:  # private names; another torch may lack them, and float32 is always right
        return False


def open_bert(folder: Path, precision: Precision = "auto", deltas: Mapping[str, Tensor] | None = None) -> Bert:
    """Read an encoder to compute with on this CPU.

    Args:
        folder: Of the model.
        precision: `auto` takes bf16 where the CPU multiplies it in hardware, else fp32.
        deltas: Weight updates by module path: a merged LoRA.
    """
    keep_freed_memory()
    fast = precision == "bf16" or (precision == "auto" and has_fast_bf16())
    return load_bert(folder, torch.bfloat16 if fast else torch.float32, deltas)


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Stack ids into (n, t) int64 and a mask (n, t) bool, or None when all have the same length."""
    longest = max(map(len, ids))
    if all(len(row) == longest for row in ids):
        return torch.from_numpy(np.array(ids, dtype=np.int64)), None
    stacked = torch.from_numpy(np.array([[*row, *([_PAD] * (longest - len(row)))] for row in ids], dtype=np.int64))
    lengths = torch.tensor([len(row) for row in ids])
    return stacked, torch.arange(longest)[None, :] < lengths[:, None]


class TorchStack:
    """One per encoder: `Stack` on PyTorch, rows padded to the longest of a batch.

    Args:
        bert: Its weights.
        kinds: (kinds, width), added to each token's embedding by how its word is written; None without.
    """

    def __init__(self, bert: Bert, kinds: Tensor | None = None) -> None:
        self._bert, self._kinds = bert, kinds
        self.width, self.max_positions = bert.width, bert.max_positions

    @contextmanager
    def working(self, rows: int) -> Iterator[None]:
        """Without gradients, with the better number of threads."""
        with torch.inference_mode(), settled(rows):
            yield

    def hidden(self, ids: Sequence[Sequence[int]], kinds: Sequence[Sequence[int]] = ()) -> list[Floats]:
        """See `Stack`."""
        stacked, mask = pad(ids)
        extra = None if self._kinds is None else functional.embedding(pad(kinds)[0], self._kinds)
        states = self._bert(stacked, mask, extra).float().numpy()
        return [row[: len(tokens)] for row, tokens in zip(states, ids, strict=True)]
