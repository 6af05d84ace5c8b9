"""How the token probe's heads are fitted, on PyTorch, one part of the rows after the other: memory stays bounded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.heads import empty_heads, loss, score, start_biases
from tailtune.tasks.extraction.layout import (
    CLASS_BIAS,
    CLASS_WEIGHT,
    NOWHERE,
    QUERY,
    TAG_BIAS,
    TAG_WEIGHT,
    Layout,
    TokenStates,
)
from tailtune.tasks.extraction.windows import Windowed

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


def items_of(layout: Layout, states: TokenStates, texts: Sequence[str], gold: Sequence[Annotation]) -> list[Item]:
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


def fit_heads(layout: Layout, states: TokenStates, items: Sequence[Item], seed: int) -> dict[str, Tensor]:
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
    heads = empty_heads(layout, states.width, 0, "cpu")
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


def _encoded(states: TokenStates, rows: Sequence[Windowed]) -> list[Tensor]:
    """States of each row, (1 + words, width) bfloat16."""
    encoded = {number: torch.from_numpy(of_row).bfloat16() for number, of_row in states.each(rows)}
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
