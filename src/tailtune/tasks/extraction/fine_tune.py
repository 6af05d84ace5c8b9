"""The fine-tuned extractor as it answers: adapter merged into the encoder once, all fields in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from tailtune.predictors.adapter import Adapted
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Extraction
from tailtune.tasks.extraction.heads import Layout, TextScores, TokenStates, score
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema
from tailtune.tasks.extraction.tag_reading import Calibration, Reading, read
from tailtune.tasks.extraction.values import LATE_IMPORTS, assemble
from tailtune.tasks.extraction.windows import Packed, Windows

SCHEMA, CALIBRATION = "schema.json", "calibration"


class LoraExtractor:
    """Encoder with merged LoRA weights, heads, and the schema; fp32, on the CPU."""

    late_imports = LATE_IMPORTS

    def __init__(
        self, states: TokenStates, heads: dict[str, Tensor], schema: ObjectSchema, calibration: Calibration
    ) -> None:
        """Join the parts; most callers want `LoraExtractor.load`."""
        self.schema, self.layout = schema, Layout.of(schema)
        self._states, self._heads, self._calibration = states, heads, calibration

    @classmethod
    def load(cls, folder: Path, encoder: Path | None = None) -> LoraExtractor:
        """Read what the train stage's artifact holds.

        Args:
            folder: With `adapter/`, `head.safetensors`, `schema.json` and `tailtune.json`.
            encoder: The base encoder's folder; the embedded one when None.

        Raises:
            MissingInputError: A file is absent, or the encoder's package is.
            SpecError: The schema cannot be read.
            ValueError: The adapter is of a kind this reader does not know.
        """
        found = Adapted.load(folder, [SCHEMA], encoder)
        noted = found.notes[CALIBRATION]
        calibration = Calibration(noted["tags"], tuple(noted["classes"]), noted["given"], noted["absent"])
        states = TokenStates(found.bert, Windows(found.base, found.max_tokens), found.heads)
        schema = load_schema(folder / SCHEMA, str(folder / SCHEMA), "tailtune run <use-case>")
        return cls(states, found.heads, schema, calibration)

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
        found: dict[int, TextScores] = {}

        def keep(numbers: list[int], packed: Packed, states: Tensor) -> None:
            with timed("infer"):
                split = score(self._heads, self.layout, states, packed.present).of_texts([rows[at] for at in numbers])
            found.update(zip(numbers, split, strict=True))

        self._states.each(rows, keep)
        return [found[at] for at in range(len(rows))]
