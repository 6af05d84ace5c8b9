"""Texts to the states that heads stand on, with any encoder: adapted, or frozen as the rung has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.bert import Bert, settled
from tailtune.predictors.encoder import BATCH_TOKENS, Precision, by_length, encoder_path, open_bert
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.heads import KIND
from tailtune.tasks.extraction.windows import Packed, Windowed, Windows, pack


def extra_of(heads: Mapping[str, Tensor], packed: Packed) -> Tensor | None:
    """What is added to each token's embedding: how its word is written. None where the heads do not say."""
    table = heads.get(KIND)
    return None if table is None else functional.embedding(packed.kinds.to(table.device), table)


def batches(rows: Sequence[Windowed], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Row numbers in batches of similar length; a row's windows stay together."""
    return by_length([range(row.tokens) for row in rows], batch_tokens)


class TokenStates:
    """An encoder as extraction uses it: a state for each word of a text, and one for the text."""

    def __init__(self, bert: Bert, windows: Windows, heads: Mapping[str, Tensor] | None = None) -> None:
        """Join an encoder and its windows; of `heads` only the embedding of how words are written is used."""
        self._bert, self._heads = bert, heads or {}
        self.windows = windows

    @classmethod
    def load(cls, path: Path | None = None, *, max_tokens: int = 256, precision: Precision = "auto") -> TokenStates:
        """The frozen encoder.

        Args:
            path: Model folder; the embedded encoder when None.
            max_tokens: Of a window.
            precision: `auto` takes bf16 where the CPU multiplies it in hardware, else fp32.
        """
        folder = path or encoder_path()
        bert = open_bert(folder, precision)
        return cls(bert, Windows(folder, min(max_tokens, bert.max_positions)))

    @property
    def width(self) -> int:
        """Length of a state (384 for MiniLM)."""
        return self._bert.width

    def of(self, packed: Packed) -> Tensor:
        """States of a batch → (n, 1 + words, width) float32: `[CLS]`, then the words."""
        return packed.states(self._bert(packed.ids, packed.mask, extra_of(self._heads, packed)))

    def each(self, rows: Sequence[Windowed], on_batch: Callable[[list[int], Packed, Tensor], None]) -> None:
        """Encode rows in batches of similar length.

        Args:
            rows: Windowed texts.
            on_batch: Called with the numbers of some rows, the rows packed, and their states.
        """
        with torch.inference_mode(), settled(len(rows)):
            for numbers in batches(rows):
                with timed("infer"):
                    packed = pack([rows[number] for number in numbers])
                    states = self.of(packed)
                on_batch(numbers, packed, states)

    def token_states(self, texts: Sequence[str]) -> list[tuple[Windowed, Tensor]]:
        """Each text's words with their states (1 + words, width) float32, `[CLS]` first."""
        rows = self.windows(texts) if texts else []
        found: list[Tensor] = [torch.empty(0)] * len(rows)

        def keep(numbers: list[int], packed: Packed, states: Tensor) -> None:
            for number, one in zip(numbers, states, strict=True):
                found[number] = one[: 1 + len(rows[number].starts)].clone()

        self.each(rows, keep)
        return list(zip(rows, found, strict=True))
