"""The fine-tuned classifier as it answers: adapter merged into the encoder once, then no more work than the base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.core.json_text import parse_json
from tailtune.predictors.base import Embed, Floats, each_times, softmax
from tailtune.predictors.encoder import Encoder, Tokens
from tailtune.predictors.fine_tuned import TAILTUNE, FineTuned
from tailtune.predictors.reading import encoder_path
from tailtune.tasks.classification.rungs import Classifier

if TYPE_CHECKING:
    from tailtune.predictors.onnx_graph import Source

LABELS = "labels.json"
POOLING = "mean-l2"
"""Mean over the real tokens, then unit length."""


class LoraPredictor(Classifier):
    """Encoder with merged LoRA weights, linear head and softmax temperature; on the CPU.

    Attributes:
        embed: The encoder's unit sentence vectors.
    """

    def __init__(self, embed: Embed, weight: Floats, bias: Floats, labels: Sequence[str]) -> None:
        """Join the parts; `weight` (classes, width) and `bias` (classes,) are already divided by the temperature."""
        self.labels, self.embed = tuple(labels), embed
        self._weight, self._bias = weight, bias

    @classmethod
    def load(cls, folder: Path, encoder: Path | None = None) -> LoraPredictor:
        """Read what the train stage's artifact holds, or the export stage's.

        Args:
            folder: With `head.safetensors`, `labels.json`, `tailtune.json`, and `encoder/` or `adapter/`.
            encoder: The base encoder's folder; the embedded one when None.

        Raises:
            MissingInputError: A file is absent, or the encoder's package is.
            ValueError: The adapter or the pooling is of a kind this reader does not know.
        """
        tuned = FineTuned.load(folder, [LABELS], encoder)
        pooling, temperature = tuned.notes["pooling"], tuned.notes["temperature"]
        if pooling != POOLING:
            raise ValueError(f"{folder / TAILTUNE}: pooling {pooling!r}, expected {POOLING!r}")
        labels = parse_json((folder / LABELS).read_text(encoding="utf-8"))
        embed = Encoder(tuned.stack, Tokens(tuned.encoder, tuned.max_tokens)).embed
        return cls(embed, tuned.heads["weight"] / temperature, tuned.heads["bias"] / temperature, labels)

    @classmethod
    def source(cls, folder: Path) -> Source:
        """The encoder to export: the base with the adapter merged."""
        from tailtune.predictors.adapter import merged
        from tailtune.predictors.onnx_graph import Source

        base = encoder_path()
        return Source(merged(folder, base), base)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Calibrated class probabilities.

        Args:
            texts: n texts; empty ones are allowed.

        Returns:
            (n, classes) float32; rows sum to 1, column j is labels[j].
        """
        return softmax(each_times(self.embed(texts), self._weight.T) + self._bias)
