"""A sentence encoder (all-MiniLM-L6-v2 is embedded, 384-d): texts to token ids, and to unit vectors.

What computes is a `Stack`: PyTorch while a model is made (torch_encoder.py), ONNX Runtime where it is served (onnx.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from tokenizers import Tokenizer

from tailtune.predictors.base import Floats
from tailtune.predictors.passes import record
from tailtune.predictors.reading import encoder_path
from tailtune.predictors.timing import timed

if TYPE_CHECKING:
    from tailtune.predictors.torch_encoder import Precision

WIDTH = 384
EXPORTED = "encoder.onnx"
"""In an encoder's folder: it is served by ONNX Runtime."""

BATCH_TOKENS = 1024
"""Padded tokens of an inference batch: measured best on CPU (32 to 128 short texts; larger falls out of cache)."""


class Stack(Protocol):
    """Token ids to hidden states.

    Attributes:
        width: Of a state (384 for MiniLM).
        max_positions: The longest input in tokens.
    """

    width: int
    max_positions: int

    def working(self, rows: int) -> AbstractContextManager[None]:
        """Around the encoding of so many rows."""

    def hidden(self, ids: Sequence[Sequence[int]], kinds: Sequence[Sequence[int]] = ()) -> list[Floats]:
        """Encode a batch.

        Args:
            ids: Token ids of n rows, at least one, of any lengths t.
            kinds: How each token's word is written, shaped like `ids`; read only by a stack that learnt from it.

        Returns:
            n arrays (t, width), float32.
        """


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


def by_length(ids: Sequence[Sequence[int]], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield row numbers, longest rows first, in batches of at most `batch_tokens` padded tokens (at least one row)."""
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    start = 0
    while start < len(order):
        rows = max(1, batch_tokens // max(1, len(ids[order[start]])))
        yield order[start : start + rows]
        start += rows


class Encoder:
    """Texts to L2-normalised sentence vectors, on the CPU: the mean of a text's hidden states, at unit length."""

    def __init__(self, stack: Stack, tokens: Tokens) -> None:
        """Join a stack and its tokenizer; most callers want `Encoder.load`."""
        self._stack = stack
        self._tokens = tokens

    @classmethod
    def load(cls, path: Path | None = None, *, max_tokens: int | None = None, precision: Precision = "auto") -> Encoder:
        """Read the encoder (about 0.2 s).

        Args:
            path: Model folder; the embedded encoder when None. One that was exported is run by ONNX Runtime.
            max_tokens: Longer texts are cut here; None: at what the encoder can read. Texts of like length are encoded
                together, so a long one makes no short one dearer.
            precision: On PyTorch: `auto` takes bf16 where the CPU multiplies it in hardware (3 times the rows/s; every
                cosine to fp32 at least 0.9998, measured on BANKING77), else fp32.
        """
        folder = path or encoder_path()
        stack = open_stack(folder, precision)
        return cls(stack, Tokens(folder, min(max_tokens or stack.max_positions, stack.max_positions)))

    def embed(self, texts: Sequence[str], on_progress: Callable[[int, int], None] | None = None) -> Floats:
        """Encode texts in batches of similar length.

        Args:
            texts: n texts; empty ones are allowed.
            on_progress: Called with (rows done, n) after every batch.

        Returns:
            (n, 384) float32, rows of L2 norm 1, in the order given.
        """
        out = np.empty((len(texts), self._stack.width), dtype=np.float32)
        ids = self._tokens(texts) if texts else []
        done = 0
        with timed("infer"), self._stack.working(len(texts)):
            for rows in by_length(ids):
                for row, states in zip(rows, self._stack.hidden([ids[row] for row in rows]), strict=True):
                    mean = np.add.reduce(states, axis=0) / np.float32(len(states))
                    out[row] = mean / max(float(np.linalg.norm(mean)), 1e-12)
                done += len(rows)
                if on_progress is not None:
                    on_progress(done, len(texts))
        record(out, ids)
        return out


def open_stack(folder: Path, precision: Precision = "auto") -> Stack:
    """An encoder's folder as what computes it: ONNX Runtime where it was exported, else PyTorch."""
    if (folder / EXPORTED).is_file():
        from tailtune.predictors.onnx import OnnxStack

        return OnnxStack(folder / EXPORTED)
    from tailtune.predictors.torch_encoder import TorchStack, open_bert

    return TorchStack(open_bert(folder, precision))
