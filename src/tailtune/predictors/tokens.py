"""Texts to token ids, and ids to batches that waste little padding. Shared by training and every encoder rung."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tailtune.predictors.timing import part

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
        with part("tokenise"):
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
