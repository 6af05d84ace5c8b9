"""The fine-tuned extractor as it answers: adapter merged into the encoder once, all fields in one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.numpy import load_file

from tailtune.predictors.base import Floats
from tailtune.predictors.fine_tuned import HEAD, FineTuned
from tailtune.predictors.reading import encoder_path
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Extraction
from tailtune.tasks.extraction.layout import KIND, Layout, TextScores, TokenStates, score_text
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema
from tailtune.tasks.extraction.tag_reading import Calibration, Reading, read
from tailtune.tasks.extraction.values import LATE_IMPORTS, assemble
from tailtune.tasks.extraction.windows import Windows

if TYPE_CHECKING:
    from tailtune.predictors.onnx_graph import Source

SCHEMA, CALIBRATION = "schema.json", "calibration"


class LoraExtractor:
    """Encoder with merged LoRA weights, heads, and the schema; on the CPU."""

    late_imports = LATE_IMPORTS

    def __init__(
        self, states: TokenStates, heads: Mapping[str, Floats], schema: ObjectSchema, calibration: Calibration
    ) -> None:
        """Join the parts; most callers want `LoraExtractor.load`."""
        self.schema, self.layout = schema, Layout.of(schema)
        self._states, self._heads, self._calibration = states, heads, calibration

    @classmethod
    def load(cls, folder: Path, encoder: Path | None = None) -> LoraExtractor:
        """Read what the train stage's artifact holds, or the export stage's.

        Args:
            folder: With `head.safetensors`, `schema.json`, `tailtune.json`, and `encoder/` or `adapter/`.
            encoder: The base encoder's folder; the embedded one when None.

        Raises:
            MissingInputError: A file is absent, or the encoder's package is.
            SpecError: The schema cannot be read.
            ValueError: The adapter is of a kind this reader does not know.
        """
        tuned = FineTuned.load(folder, [SCHEMA], encoder, KIND)
        noted = tuned.notes[CALIBRATION]
        calibration = Calibration(noted["tags"], tuple(noted["classes"]), noted["given"], noted["absent"])
        states = TokenStates(tuned.stack, Windows(tuned.encoder, tuned.max_tokens))
        schema = load_schema(folder / SCHEMA, str(folder / SCHEMA), "tailtune run <use-case>")
        return cls(states, tuned.heads, schema, calibration)

    @classmethod
    def source(cls, folder: Path) -> Source:
        """The encoder to export: the base with the adapter merged."""
        from tailtune.predictors.adapter import merged
        from tailtune.predictors.onnx_graph import Source

        base = encoder_path()
        return Source(merged(folder, base), base, load_file(folder / HEAD).get(KIND))

    def answer(self, texts: Sequence[str]) -> list[Extraction]:
        """One object per text, valid against the schema, with a confidence for each field.

        Args:
            texts: n texts of any length; empty ones are allowed.
        """
        return [
            assemble(self.schema, text, reading.found, reading.chosen, reading.absent)
            for text, reading in zip(texts, self.read(texts), strict=True)
        ]

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """What the heads say of each text, before values are normalised."""
        return [read(self.layout, scored, self._calibration) for scored in self.scores(texts)]

    def scores(self, texts: Sequence[str]) -> list[TextScores]:
        """The heads' logits of each text."""
        rows = self._states.windows(texts) if texts else []
        scores: dict[int, TextScores] = {}
        for number, states in self._states.each(rows):
            with timed("infer"):
                scores[number] = score_text(self._heads, self.layout, rows[number], states)
        return [scores[number] for number in range(len(rows))]
