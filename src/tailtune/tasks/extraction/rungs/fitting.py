"""Heads fitted to a frozen encoder's states, part by part, so that memory does not grow with the rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

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
    log_shares,
    loss,
    score,
)
from tailtune.tasks.extraction.rungs.frozen import FrozenStates
from tailtune.tasks.extraction.windows import Packed, Windowed

PART_WORDS = 100_000  # states held at once: 2 bytes × 392 each, 80 MB
PASSES, LEAST_STEPS = 3, 200  # over each part; with few rows, as many as make the steps
BATCH_ROWS = 32
RATE = 0.01
LEAST_DEVIATION = 0.1  # what hardly varies in the train rows must not outweigh all else in another text


@dataclass(frozen=True, slots=True)
class Item:
    """One per train row.

    Attributes:
        words: The text, cut.
        tags: (words,) int64.
        classes: Class number of each classified field.
    """

    words: Windowed
    tags: Tensor
    classes: Tensor


@dataclass(frozen=True, slots=True)
class Scale:
    """One per fitting: what states are standardised by, so that one rate suits all of their features.

    Attributes:
        mean: Of each feature, (width,).
        deviation: Of each feature, (width,).
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, held: Sequence[Tensor]) -> Scale:
        """Of the states of some rows, each (1 + words, width)."""
        flat = torch.cat(list(held)).float()
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
            torch.from_numpy(layout.tags.tag(words, held.spans).tags),
            torch.tensor(layout.targets(held.values), dtype=torch.int64),
        )
        for words, held in zip(windowed, gold, strict=True)
    ]


def fit_heads(layout: Layout, states: FrozenStates, items: Sequence[Item], seed: int) -> dict[str, Tensor]:
    """Heads by Adam at a falling rate, a few passes over one part of the rows after the other.

    States are standardised while they are learnt from; the heads returned take them as they are.

    Args:
        layout: What the heads' rows mean.
        states: Of the frozen encoder.
        items: Train rows, at least one.
        seed: Of the order.
    """
    dice = random.Random(seed)
    order = dice.sample(range(len(items)), len(items))
    heads = {name: head for name, head in layout.empty(states.width, 1, "cpu").items() if name != KIND}
    _start(layout, items, heads)
    mean_words = max(1.0, float(np.mean([len(item.tags) for item in items])))
    optimiser = torch.optim.Adam(list(heads.values()), lr=RATE)
    passes = max(PASSES, LEAST_STEPS // -(-len(items) // BATCH_ROWS))
    done, total, scale = 0, passes * len(items), None
    for part in _parts(order, items):
        held = _encoded(states, [items[at].words for at in part])
        scale = scale or Scale.of(held)
        for batch in (batch for _ in range(passes) for batch in _batches(held, dice)):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - done / total)
            standard = [scale(held[at]) for at in batch]
            _loss(layout, heads, standard, [items[part[at]] for at in batch], mean_words).backward()
            optimiser.step()
            optimiser.zero_grad()
            done += len(batch)
    return scale.folded(heads) if scale else heads


def _start(layout: Layout, items: Sequence[Item], heads: dict[str, Tensor]) -> None:
    """Biases that say how frequent each tag and class is."""
    with torch.no_grad():
        if TAG_BIAS in heads:
            tags = torch.cat([item.tags for item in items])
            heads[TAG_BIAS].copy_(log_shares(np.bincount(tags.numpy(), minlength=layout.tags.size)))
        for at, bias in enumerate(heads[CLASS_BIAS].split(layout.sizes) if CLASS_BIAS in heads else ()):
            classes = np.array([int(item.classes[at]) for item in items])
            bias.copy_(log_shares(np.bincount(classes[classes != NOWHERE], minlength=len(bias))))


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
    held: dict[int, Tensor] = {}

    def keep(numbers: list[int], _: Packed, found: Tensor) -> None:
        for number, one in zip(numbers, found, strict=True):
            held[number] = one[: 1 + len(rows[number].starts)].bfloat16()

    states.each(rows, keep)
    return [held[at] for at in range(len(rows))]


def _batches(held: Sequence[Tensor], dice: random.Random) -> list[list[int]]:
    """Rows of similar length together, batches in any order."""
    order = sorted(dice.sample(range(len(held)), len(held)), key=lambda at: len(held[at]) // 8)
    batches = [order[start : start + BATCH_ROWS] for start in range(0, len(order), BATCH_ROWS)]
    dice.shuffle(batches)
    return batches


def _loss(
    layout: Layout, heads: dict[str, Tensor], held: Sequence[Tensor], items: Sequence[Item], mean_words: float
) -> Tensor:
    """Mean loss of one batch."""
    states = pad_sequence(list(held), batch_first=True)
    present = torch.arange(states.shape[1])[None, :] < torch.tensor([len(one) for one in held])[:, None]
    tags = pad_sequence([item.tags for item in items], batch_first=True, padding_value=NOWHERE)
    classes = torch.stack([item.classes for item in items])
    return loss(score(heads, layout, states, present), tags, classes, mean_words) / len(items)
