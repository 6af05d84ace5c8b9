"""The encoder as it is, and linear heads on its words: what fine-tuning must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tailtune.predictors.base import Embed
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.heads import Layout, score
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Found, gold, load_rung, save_rung
from tailtune.tasks.extraction.rungs.fitting import fit_heads, items_of
from tailtune.tasks.extraction.rungs.frozen import FrozenStates
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.tag_reading import Calibration, read
from tailtune.tasks.extraction.windows import Packed


class TokenProbe(Extractor):
    """Linear heads on the states of a frozen encoder: tags for words, attention and classes for what is chosen.

    The same heads, tags and legal decoding as the fine-tune's; the encoder is not adapted, and only its lower half is
    used.
    """

    def __init__(self, schema: ObjectSchema, heads: Mapping[str, Tensor], rows: int, states: FrozenStates) -> None:
        self.schema, self._heads, self._rows, self._states = schema, heads, rows, states
        self._layout = Layout.of(schema)

    @classmethod
    def fit(cls, context: ExtractContext) -> TokenProbe:
        """Encode the train rows and fit the heads."""
        states, layout = FrozenStates.frozen(), Layout.of(context.schema)
        items = items_of(layout, states, [row.text for row in context.rows], gold(context.rows))
        heads = fit_heads(layout, states, items, context.seed)
        return cls(context.schema, heads, len(items), states)

    def found(self, texts: Sequence[str]) -> list[Found]:
        """Tags and choices of the heads."""
        rows = self._states.windows(texts)
        found: dict[int, Found] = {}

        def keep(numbers: list[int], packed: Packed, states: Tensor) -> None:
            with timed("infer"):
                scores = score(self._heads, self._layout, states, packed.present)
            for number, one in zip(numbers, scores.of_texts([rows[number] for number in numbers]), strict=True):
                reading = read(self._layout, one, Calibration())
                found[number] = Found(reading.found, reading.chosen, reading.absent)

        self._states.each(rows, keep)
        return [found[at] for at in range(len(texts))]

    @property
    def fit_rows(self) -> int:
        """Every train row."""
        return self._rows

    def save(self, folder: Path) -> None:
        """Write the heads; the encoder is the embedded one."""
        save_rung(folder, self.schema, {name: head.numpy() for name, head in self._heads.items()}, {"rows": self._rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> TokenProbe:
        """Read the heads and the embedded encoder, which gives words here; `embed` is not needed."""
        schema, arrays, meta = load_rung(folder)
        heads = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return cls(schema, heads, meta["rows"], FrozenStates.frozen())
