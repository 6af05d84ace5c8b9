"""The frozen encoder's lower layers, and how words are written: what a linear head on tokens is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.encoder import encoder_path, open_bert
from tailtune.tasks.extraction.heads import TokenStates
from tailtune.tasks.extraction.windows import KINDS, Packed, Windows

LAYERS = 3  # of six; on SNIPS span F1 is 0.83, 0.85, 0.84, 0.77 after 2, 3, 4, 6 layers
MAX_TOKENS = 256


class FrozenStates(TokenStates):
    """States of words after the third layer, with one more feature for each way of writing a word."""

    @classmethod
    def frozen(cls, path: Path | None = None) -> FrozenStates:
        """Read the encoder, as far as it is used (about 0.2 s).

        Args:
            path: Model folder; the embedded encoder when None.
        """
        folder = path or encoder_path()
        bert = open_bert(folder)
        bert = replace(bert, layers=bert.layers[:LAYERS])
        return cls(bert, Windows(folder, min(MAX_TOKENS, bert.max_positions)))

    @property
    def width(self) -> int:
        """Features of a word."""
        return super().width + KINDS

    def of(self, packed: Packed) -> Tensor:
        """Features of a batch → (n, 1 + words, width) float32: `[CLS]`, then the words."""
        kinds = packed.kinds.reshape(-1)[packed.index]
        return torch.cat([super().of(packed), functional.one_hot(kinds, KINDS).float()], dim=2)
