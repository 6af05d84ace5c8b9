"""The fine-tuned classifier as it answers: adapter merged into the encoder once, then no more work than the base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tailtune.core.json_text import parse_json
from tailtune.predictors.adapter import TAILTUNE, Adapted
from tailtune.predictors.base import Floats
from tailtune.predictors.bert import Bert, mean_pool, settled
from tailtune.predictors.encoder import Tokens, by_length, pad
from tailtune.tasks.classification.rungs import Classifier

LABELS = "labels.json"
POOLING = "mean-l2"
"""Mean over the real tokens, then unit length."""


class LoraPredictor(Classifier):
    """Encoder with merged LoRA weights, linear head and softmax temperature; fp32, on the CPU."""

    def __init__(self, bert: Bert, tokens: Tokens, weight: Tensor, bias: Tensor, labels: Sequence[str]) -> None:
        """Join the parts; `weight` (classes, width) and `bias` (classes,) are already divided by the temperature."""
        self.labels = tuple(labels)
        self._bert, self._tokens, self._weight, self._bias = bert, tokens, weight, bias

    @classmethod
    def load(cls, folder: Path, encoder: Path | None = None) -> LoraPredictor:
        """Read what the train stage's artifact holds.

        Args:
            folder: With `adapter/`, `head.safetensors`, `labels.json` and `tailtune.json`.
            encoder: The base encoder's folder; the embedded one when None.

        Raises:
            MissingInputError: A file is absent, or the encoder's package is.
            ValueError: The adapter or the pooling is of a kind this reader does not know.
        """
        found = Adapted.load(folder, [LABELS], encoder)
        pooling, temperature = found.notes["pooling"], found.notes["temperature"]
        if pooling != POOLING:
            raise ValueError(f"{folder / TAILTUNE}: pooling {pooling!r}, expected {POOLING!r}")
        labels = parse_json((folder / LABELS).read_text(encoding="utf-8"))
        tokens = Tokens(found.base, found.max_tokens)
        return cls(found.bert, tokens, found.heads["weight"] / temperature, found.heads["bias"] / temperature, labels)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Calibrated class probabilities.

        Args:
            texts: n texts; empty ones are allowed.

        Returns:
            (n, classes) float32; rows sum to 1, column j is labels[j].
        """
        out = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        if not texts:
            return out
        ids = self._tokens(texts)
        with torch.inference_mode(), settled(len(texts)):
            for rows in by_length(ids):
                out[rows] = self._softmax(*pad([ids[row] for row in rows])).numpy()
        return out

    def _softmax(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        vectors = functional.normalize(mean_pool(self._bert(ids, mask), mask), dim=1)
        return functional.linear(vectors, self._weight, self._bias).softmax(dim=1)
