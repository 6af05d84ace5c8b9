"""The floor: nothing is found, and what must be chosen is what is chosen most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tailtune.predictors.base import Embed
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Found, gold, load_rung, save_rung
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import Chosen


class Blank(Extractor):
    """Every field that stands in the text is null; every other has its most frequent value, null included."""

    def __init__(
        self, schema: ObjectSchema, chosen: Mapping[str, Chosen], absent: Mapping[str, float], rows: int
    ) -> None:
        self.schema, self._rows = schema, rows
        self._found = Found((), dict(chosen), dict(absent))

    @classmethod
    def fit(cls, context: ExtractContext) -> Blank:
        """Count values."""
        schema, annotations = context.schema, gold(context.rows)
        chosen: dict[str, Chosen] = {}
        for spec in schema.classified:
            counts = Counter(held.values.get(spec.name) for held in annotations)
            likely = [value for value in counts if value is not None or spec.nullable]
            if likely:
                value = min(likely, key=lambda value: (-counts[value], str(value)))
                chosen[spec.name] = Chosen(value, counts[value] / len(annotations))
        absent = {
            spec.name: sum(held.values.get(spec.name) in (None, []) for held in annotations) / len(annotations)
            for spec in schema.spanned
        }
        return cls(schema, chosen, absent, len(annotations))

    def found(self, texts: Sequence[str]) -> list[Found]:
        """The same for every text."""
        return [self._found] * len(texts)

    @property
    def fit_rows(self) -> int:
        """Every train row was counted."""
        return self._rows

    def save(self, folder: Path) -> None:
        """Write values and shares."""
        chosen = {name: [choice.value, choice.confidence] for name, choice in self._found.chosen.items()}
        meta: dict[str, Any] = {"chosen": chosen, "absent": self._found.absent, "rows": self._rows}
        save_rung(folder, self.schema, {}, meta)

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Blank:
        """Read values and shares; the encoder is not needed."""
        schema, _, meta = load_rung(folder)
        return cls(schema, {name: Chosen(*held) for name, held in meta["chosen"].items()}, meta["absent"], meta["rows"])
