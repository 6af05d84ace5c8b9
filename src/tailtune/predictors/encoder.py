"""The embedded sentence encoder (all-MiniLM-L6-v2, 384-d): texts to token ids, and to unit vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from tailtune.predictors.bert import Bert, keep_freed_memory, load_bert, mean_pool, settled
from tailtune.predictors.reading import encoder_path
from tailtune.predictors.timing import timed

WIDTH = 384

Precision = Literal["auto", "fp32", "bf16"]


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


BATCH_TOKENS = 1024
"""Padded tokens of an inference batch: measured best on CPU (32 to 128 short texts; larger falls out of cache)."""

_PAD = 0


class Tokens:
    """The encoder's own fast tokenizer, truncating at `max_tokens` and never padding."""

    def __init__(self, encoder: Path, max_tokens: int) -> None:
        """Read `tokenizer.json` from the encoder's folder."""
        self.max_tokens = max_tokens
        self._tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer.no_padding()  # the published file pads everything to 128

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, `[CLS]` and `[SEP]` included, at most `max_tokens` each."""
        with timed("tokenise"):
            if len(texts) == 1:
                return [self._tokenizer.encode(texts[0]).ids]
            return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Stack ids into (n, t) int64 and a mask (n, t) bool, or None when all have the same length."""
    longest = max(map(len, ids))
    if all(len(row) == longest for row in ids):
        return torch.tensor(ids, dtype=torch.long), None
    stacked = torch.tensor([[*row, *([_PAD] * (longest - len(row)))] for row in ids], dtype=torch.long)
    lengths = torch.tensor([len(row) for row in ids])
    return stacked, torch.arange(longest)[None, :] < lengths[:, None]


def by_length(ids: Sequence[Sequence[int]], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield row numbers, longest rows first, in batches of at most `batch_tokens` padded tokens (at least one row)."""
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    start = 0
    while start < len(order):
        rows = max(1, batch_tokens // max(1, len(ids[order[start]])))
        yield order[start : start + rows]
        start += rows


class Encoder:
    """Texts to L2-normalised sentence vectors, on the CPU."""

    def __init__(self, bert: Bert, tokens: Tokens) -> None:
        """Join a loaded stack and its tokenizer; most callers want `Encoder.load`."""
        self._bert = bert
        self._tokens = tokens

    @classmethod
    def load(
        cls, path: Path | None = None, *, max_tokens: int | None = None, precision: Precision = "auto"
    ) -> "Encoder":
        """Read the encoder (about 0.2 s).

        Args:
            path: Model folder; the embedded encoder when None.
            max_tokens: Longer texts are cut here; None: at what the encoder can read. Texts of like length are encoded
                together, so a long one makes no short one dearer.
            precision: `auto` takes bf16 where the CPU multiplies it in hardware (3 times the rows/s; every cosine
                to fp32 at least 0.9998, measured on BANKING77), else fp32.
        """
        folder = path or encoder_path()
        bert = open_bert(folder, precision)
        return cls(bert, Tokens(folder, min(max_tokens or bert.max_positions, bert.max_positions)))

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
        with timed("infer"), torch.inference_mode(), settled(len(texts)):
            for rows in by_length(ids):
                batch, mask = pad([ids[row] for row in rows])
                pooled = mean_pool(self._bert(batch, mask), mask)
                out[rows] = torch.nn.functional.normalize(pooled, dim=1).numpy()
                done += len(rows)
                if on_progress is not None:
                    on_progress(done, len(texts))
        return out
