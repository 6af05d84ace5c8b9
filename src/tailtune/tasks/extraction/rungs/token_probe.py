"""Linear heads on the words of the frozen encoder: the rung that fine-tuning must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailtune.predictors.base import Embed, Floats
from tailtune.predictors.encoder import EXPORTED, Stack, open_stack
from tailtune.predictors.reading import encoder_path, served_encoder
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.layout import Layout, TokenStates, kinds_of, score_text
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Findings, load_rung, save_rung
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.tag_reading import Calibration, read
from tailtune.tasks.extraction.windows import KINDS, Windowed, Windows

if TYPE_CHECKING:
    from tailtune.predictors.bert import Bert
    from tailtune.predictors.onnx_graph import Source
    from tailtune.predictors.torch_encoder import Precision

LAYERS = 3  # of six; on SNIPS span F1 is 0.83, 0.85, 0.84, 0.77 after 2, 3, 4, 6 layers
MAX_TOKENS = 256


class FrozenStates(TokenStates):
    """States of words after the third layer, and one feature more for each way of writing a word."""

    def __init__(self, stack: Stack, windows: Windows) -> None:
        super().__init__(stack, windows)
        self.width = stack.width + KINDS

    @classmethod
    def frozen(cls, path: Path | None = None) -> FrozenStates:
        """Read the encoder's lower layers (about 0.2 s).

        Args:
            path: Model folder, or where its lower layers were exported; the embedded encoder when None.
        """
        folder = path or encoder_path()
        stack = open_stack(folder) if (folder / EXPORTED).is_file() else _lower(folder)
        return cls(stack, Windows(folder, min(MAX_TOKENS, stack.max_positions)))

    def of(self, rows: Sequence[Windowed]) -> list[Floats]:
        """Features of a batch of texts, each (1 + words, width) float32: `[CLS]`, then the words."""
        written = np.eye(KINDS, dtype=np.float32)
        return [
            np.concatenate((states, written[kinds_of(row)]), axis=1)
            for row, states in zip(rows, super().of(rows), strict=True)
        ]


def lower_layers(folder: Path, precision: Precision = "auto") -> Bert:
    """An encoder's layers that the rung uses."""
    from tailtune.predictors.torch_encoder import open_bert

    bert = open_bert(folder, precision)
    return replace(bert, layers=bert.layers[:LAYERS])


def _lower(folder: Path) -> Stack:
    from tailtune.predictors.torch_encoder import TorchStack

    return TorchStack(lower_layers(folder))


class TokenProbe(Extractor):
    """Linear heads on the states of a frozen encoder: tags for words, attention and classes for what is chosen.

    The same heads, tags and legal decoding as the fine-tune's; the encoder is not adapted, and only its lower half is
    used.
    """

    def __init__(self, schema: ObjectSchema, heads: Mapping[str, Floats], rows: int, states: FrozenStates) -> None:
        self.schema, self._heads, self.fit_rows, self._states = schema, heads, rows, states
        self._layout = Layout.of(schema)

    @classmethod
    def fit(cls, context: ExtractContext) -> TokenProbe:
        """Encode the train rows and fit the heads."""
        from tailtune.tasks.extraction.rungs.token_probe_fitting import fit_heads, items_of

        states, layout = FrozenStates.frozen(), Layout.of(context.schema)
        items = items_of(layout, states, [row.text for row in context.rows], [row.label for row in context.rows])
        heads = fit_heads(layout, states, items, context.seed)
        return cls(context.schema, {name: head.numpy() for name, head in heads.items()}, len(items), states)

    def find(self, texts: Sequence[str]) -> list[Findings]:
        """Tags and choices of the heads."""
        rows = self._states.windows(texts)
        findings: dict[int, Findings] = {}
        for number, states in self._states.each(rows):
            with timed("infer"):
                scores = score_text(self._heads, self._layout, rows[number], states)
            reading = read(self._layout, scores, Calibration())
            findings[number] = Findings(reading.found, reading.chosen, reading.absent)
        return [findings[number] for number in range(len(texts))]

    @classmethod
    def source(cls, folder: Path) -> Source:
        """The encoder to export: the lower layers of the embedded one."""
        from tailtune.predictors.onnx_graph import Source

        return Source(lower_layers(encoder_path(), "fp32"), encoder_path())

    def save(self, folder: Path) -> None:
        """Write the heads; the encoder is the embedded one."""
        save_rung(folder, self.schema, self._heads, {"rows": self.fit_rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> TokenProbe:
        """Read the heads and an encoder that gives words: the exported one, else the embedded; `embed` is not used."""
        schema, arrays, meta = load_rung(folder)
        return cls(schema, arrays, meta["rows"], FrozenStates.frozen(served_encoder(folder)))
