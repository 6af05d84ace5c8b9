"""Linear heads on the words of the frozen encoder: the rung that fine-tuning must beat.

Heads are fitted one part of the rows after the other, so that memory does not grow with the rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from tailtune.predictors.base import Embed
from tailtune.predictors.encoder import open_bert
from tailtune.predictors.reading import encoder_path
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.heads import (
    CLASS_BIAS,
    CLASS_WEIGHT,
    KIND,
    NOWHERE,
    QUERY,
    TAG_BIAS,
    TAG_WEIGHT,
    Layout,
    TokenStates,
    loss,
    score,
    start_biases,
)
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Findings, load_rung, save_rung
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.tag_reading import Calibration, read
from tailtune.tasks.extraction.windows import KINDS, Packed, Windowed, Windows

LAYERS = 3  # of six; on SNIPS span F1 is 0.83, 0.85, 0.84, 0.77 after 2, 3, 4, 6 layers
MAX_TOKENS = 256


class FrozenStates(TokenStates):
    """States of words after the third layer, and one feature more for each way of writing a word."""

    @classmethod
    def frozen(cls, path: Path | None = None) -> FrozenStates:
        """Read the encoder's lower layers (about 0.2 s).

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


PART_WORDS = 100_000  # states in memory at once: 2 bytes × 392 each, 80 MB
PASSES, LEAST_STEPS = 3, 200  # over each part; with few rows, as many as make the steps
BATCH_ROWS = 32
RATE = 0.01
LEAST_DEVIATION = 0.1  # a feature that hardly varies in the train rows must not outweigh all others elsewhere


@dataclass(frozen=True, slots=True)
class Item:
    """One per train row.

    Attributes:
        words: The text in windows and words.
        tags: (words,) int64.
        classes: Class number of each classified field.
    """

    words: Windowed
    tags: Tensor
    classes: Tensor


@dataclass(frozen=True, slots=True)
class Scale:
    """One per fitting: mean and deviation that standardise states, so that one learning rate suits all features.

    Attributes:
        mean: Of each feature, (width,).
        deviation: Of each feature, (width,).
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, rows: Sequence[Tensor]) -> Scale:
        """Of the states of some rows, each (1 + words, width)."""
        flat = torch.cat(list(rows)).float()
        return cls(flat.mean(dim=0), flat.std(dim=0, correction=0).clamp_min(LEAST_DEVIATION))

    def __call__(self, states: Tensor) -> Tensor:
        """Standardised states, float32."""
        return (states.float() - self.mean) / self.deviation

    def folded(self, heads: dict[str, Tensor]) -> dict[str, Tensor]:
        """Heads on standardised states as heads on the states themselves."""
        raw = {name: head.detach() for name, head in heads.items()}
        for weight, bias in ((TAG_WEIGHT, TAG_BIAS), (CLASS_WEIGHT, CLASS_BIAS)):
            if weight in raw:
                raw[weight] = raw[weight] / self.deviation
                raw[bias] = raw[bias] - raw[weight] @ self.mean
        if QUERY in raw:
            raw[QUERY] = raw[QUERY] / self.deviation
        return raw


def items_of(layout: Layout, states: FrozenStates, texts: Sequence[str], gold: Sequence[Annotation]) -> list[Item]:
    """Texts and labels as numbers."""
    windowed = states.windows(texts)
    return [
        Item(
            words,
            torch.from_numpy(layout.tags.tag(words, annotation.spans).tags),
            torch.tensor(layout.targets(annotation.values), dtype=torch.int64),
        )
        for words, annotation in zip(windowed, gold, strict=True)
    ]


def fit_heads(layout: Layout, states: FrozenStates, items: Sequence[Item], seed: int) -> dict[str, Tensor]:
    """Heads by Adam at a falling rate, a few passes over one part of the rows after the other.

    States are standardised for fitting; the heads that are returned take plain states.

    Args:
        layout: What the heads' rows mean.
        states: Of the frozen encoder.
        items: Train rows, at least one.
        seed: Of the order.
    """
    dice = random.Random(seed)
    order = dice.sample(range(len(items)), len(items))
    heads = {name: head for name, head in layout.empty(states.width, 1, "cpu").items() if name != KIND}
    start_biases(heads, layout, [item.tags for item in items], [item.classes.tolist() for item in items])
    mean_words = max(1.0, float(np.mean([len(item.tags) for item in items])))
    optimiser = torch.optim.Adam(list(heads.values()), lr=RATE)
    passes = max(PASSES, LEAST_STEPS // -(-len(items) // BATCH_ROWS))
    done, total, scale = 0, passes * len(items), None
    for part in _parts(order, items):
        encoded = _encoded(states, [items[at].words for at in part])
        scale = scale or Scale.of(encoded)
        for batch in (batch for _ in range(passes) for batch in _batches(encoded, dice)):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - done / total)
            standard = [scale(encoded[at]) for at in batch]
            _loss(layout, heads, standard, [items[part[at]] for at in batch], mean_words).backward()
            optimiser.step()
            optimiser.zero_grad()
            done += len(batch)
    return scale.folded(heads) if scale else heads


def _parts(order: Sequence[int], items: Sequence[Item]) -> Iterator[list[int]]:
    part: list[int] = []
    words = 0
    for at in order:
        if part and words + len(items[at].tags) > PART_WORDS:
            yield part
            part, words = [], 0
        part.append(at)
        words += 1 + len(items[at].tags)
    yield part


def _encoded(states: FrozenStates, rows: Sequence[Windowed]) -> list[Tensor]:
    """States of each row, (1 + words, width) bfloat16."""
    encoded: dict[int, Tensor] = {}

    def keep(numbers: list[int], _: Packed, batch: Tensor) -> None:
        for number, of_row in zip(numbers, batch, strict=True):
            encoded[number] = of_row[: 1 + len(rows[number].starts)].bfloat16()

    states.each(rows, keep)
    return [encoded[at] for at in range(len(rows))]


def _batches(encoded: Sequence[Tensor], dice: random.Random) -> list[list[int]]:
    """Rows of similar length together, batches in any order."""
    order = sorted(dice.sample(range(len(encoded)), len(encoded)), key=lambda at: len(encoded[at]) // 8)
    batches = [order[start : start + BATCH_ROWS] for start in range(0, len(order), BATCH_ROWS)]
    dice.shuffle(batches)
    return batches


def _loss(
    layout: Layout, heads: dict[str, Tensor], batch: Sequence[Tensor], items: Sequence[Item], mean_words: float
) -> Tensor:
    """Mean loss of one batch."""
    states = pad_sequence(list(batch), batch_first=True)
    present = torch.arange(states.shape[1])[None, :] < torch.tensor([len(of_row) for of_row in batch])[:, None]
    tags = pad_sequence([item.tags for item in items], batch_first=True, padding_value=NOWHERE)
    classes = torch.stack([item.classes for item in items])
    return loss(score(heads, layout, states, present), tags, classes, mean_words) / len(items)


class TokenProbe(Extractor):
    """Linear heads on the states of a frozen encoder: tags for words, attention and classes for what is chosen.

    The same heads, tags and legal decoding as the fine-tune's; the encoder is not adapted, and only its lower half is
    used.
    """

    def __init__(self, schema: ObjectSchema, heads: Mapping[str, Tensor], rows: int, states: FrozenStates) -> None:
        self.schema, self._heads, self.fit_rows, self._states = schema, heads, rows, states
        self._layout = Layout.of(schema)

    @classmethod
    def fit(cls, context: ExtractContext) -> TokenProbe:
        """Encode the train rows and fit the heads."""
        states, layout = FrozenStates.frozen(), Layout.of(context.schema)
        items = items_of(layout, states, [row.text for row in context.rows], [row.label for row in context.rows])
        heads = fit_heads(layout, states, items, context.seed)
        return cls(context.schema, heads, len(items), states)

    def find(self, texts: Sequence[str]) -> list[Findings]:
        """Tags and choices of the heads."""
        rows = self._states.windows(texts)
        findings: dict[int, Findings] = {}

        def keep(numbers: list[int], packed: Packed, states: Tensor) -> None:
            with timed("infer"):
                scores = score(self._heads, self._layout, states, packed.present)
            of_texts = scores.of_texts([rows[number] for number in numbers])
            for number, text_scores in zip(numbers, of_texts, strict=True):
                reading = read(self._layout, text_scores, Calibration())
                findings[number] = Findings(reading.found, reading.chosen, reading.absent)

        self._states.each(rows, keep)
        return [findings[at] for at in range(len(texts))]

    def save(self, folder: Path) -> None:
        """Write the heads; the encoder is the embedded one."""
        save_rung(
            folder, self.schema, {name: head.numpy() for name, head in self._heads.items()}, {"rows": self.fit_rows}
        )

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> TokenProbe:
        """Read the heads and the embedded encoder, which gives words here; `embed` is not needed."""
        schema, arrays, meta = load_rung(folder)
        heads = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return cls(schema, heads, meta["rows"], FrozenStates.frozen())
