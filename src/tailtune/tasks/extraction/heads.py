"""The heads of an extractor while they learn, on PyTorch: their tensors, their scores with gradients, their loss.

What they mean, and how they score where nothing is learnt, is in layout.py; a test holds the two scores equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.torch_encoder import pad
from tailtune.tasks.extraction.layout import (
    CLASS_BIAS,
    CLASS_WEIGHT,
    KIND,
    NOWHERE,
    QUERY,
    TAG_BIAS,
    TAG_WEIGHT,
    Layout,
    TextScores,
)
from tailtune.tasks.extraction.windows import Ints, Windowed

CLASS_SHARE = 0.3
"""Weight of one classified field against all tags of a text."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One per batch: windows stacked for the encoder, and where each row's states lie among them.

    Attributes:
        ids: (windows, t) int64.
        kinds: (windows, t) int64, how each token's word is written.
        mask: (windows, t) bool, True = real token; None when nothing is padded.
        index: (n, 1 + words) int64 into the windows laid end to end: first `[CLS]`, then each word. Padded with 0.
        present: (n, 1 + words) bool, True = not padding.
    """

    ids: Tensor
    kinds: Tensor
    mask: Tensor | None
    index: Tensor
    present: Tensor

    def states(self, hidden: Tensor) -> Tensor:
        """Hidden states (windows, t, width) in the order of `index` → (n, 1 + words, width) float32."""
        flat = hidden.reshape(-1, hidden.shape[2])
        return flat[self.index.to(flat.device)].float()


def pack(rows: Sequence[Windowed]) -> Packed:
    """Stack rows, at least one, for the encoder."""
    stacked, mask = pad([window for row in rows for window in row.ids])
    kinds, _ = pad([window for row in rows for window in row.kinds])
    width = stacked.shape[1]
    longest = 1 + max(len(row.starts) for row in rows)
    index = np.zeros((len(rows), longest), dtype=np.int64)
    present = np.zeros((len(rows), longest), dtype=bool)
    before = 0
    for at, row in enumerate(rows):
        words = 1 + len(row.starts)
        index[at, 0] = before * width
        index[at, 1:words] = (before + row.window) * width + row.column
        present[at, :words] = True
        before += len(row.ids)
    return Packed(stacked, kinds, mask, torch.from_numpy(index), torch.from_numpy(present))


def empty_heads(layout: Layout, width: int, kinds: int, device: str) -> dict[str, Tensor]:
    """Heads of zeros, gradients on.

    Args:
        layout: What their rows mean.
        width: Of states.
        kinds: How many ways of writing a word are distinguished (windows.py); 0 leaves their embedding out.
        device: Where they are.

    Returns:
        Tensors by name; a kind of field that the schema lacks has none.
    """
    shapes: dict[str, tuple[int, ...]] = {KIND: (kinds, width)} if kinds else {}
    if layout.tags.names:
        shapes |= {TAG_WEIGHT: (layout.tags.size, width), TAG_BIAS: (layout.tags.size,)}
    if layout.fields:
        total = sum(layout.sizes)
        shapes |= {QUERY: (len(layout.fields), width), CLASS_WEIGHT: (total, width), CLASS_BIAS: (total,)}
    return {name: torch.zeros(shape, device=device, requires_grad=True) for name, shape in shapes.items()}


@dataclass(frozen=True, slots=True)
class Scores:
    """One per batch of n texts.

    Attributes:
        tags: (n, words, tags) logits; None without fields that stand in the text.
        classes: For each classified field (n, classes) logits.
    """

    tags: Tensor | None
    classes: Sequence[Tensor]

    def of_texts(self, rows: Sequence[Windowed]) -> list[TextScores]:
        """Each text's own part, without padding."""
        tags = None if self.tags is None else self.tags.cpu().numpy()
        classes = [logits.cpu().numpy() for logits in self.classes]
        return [
            TextScores(
                row, None if tags is None else tags[at, : len(row.starts)], tuple(logits[at] for logits in classes)
            )
            for at, row in enumerate(rows)
        ]


def score(heads: Mapping[str, Tensor], layout: Layout, states: Tensor, present: Tensor) -> Scores:
    """Logits of everything.

    Each classified field looks at the states by an attention of its own, then decides by a linear map. The attention is
    not scaled: a phrase among a hundred words must be found within a few hundred steps.

    Args:
        heads: Tensors by name, as `empty_heads` shapes them.
        layout: What their rows mean.
        states: (n, 1 + words, width) float32: `[CLS]`, then the words.
        present: (n, 1 + words) bool, True = not padding.
    """
    tags = None
    if layout.tags.names:
        tags = functional.linear(states[:, 1:], heads[TAG_WEIGHT], heads[TAG_BIAS])
    if not layout.fields:
        return Scores(tags, ())
    present = present.to(states.device)
    looks = functional.linear(states, heads[QUERY])
    shares = looks.masked_fill(~present[:, :, None], -1e4).softmax(dim=1)
    pooled = torch.bmm(shares.transpose(1, 2), states)
    of_class = torch.repeat_interleave(
        torch.arange(len(layout.fields), device=states.device), torch.tensor(layout.sizes, device=states.device)
    )
    logits = (pooled[:, of_class] * heads[CLASS_WEIGHT]).sum(dim=2) + heads[CLASS_BIAS]
    return Scores(tags, logits.split(layout.sizes, dim=1))


def loss(scores: Scores, tags: Tensor, classes: Tensor, mean_words: float) -> Tensor:
    """Cross-entropy summed over the texts of a batch; a text's tags together weigh about as much as three classes.

    Args:
        scores: Of n texts.
        tags: (n, words) int64 targets, `NOWHERE` for padding.
        classes: (n, fields) int64 targets, `NOWHERE` where there is none.
        mean_words: Of the train rows, so that a text of that length has the mean loss of its words.
    """
    total = torch.zeros((), device=tags.device)
    if scores.tags is not None:
        flat = scores.tags.flatten(0, 1)
        total = functional.cross_entropy(flat, tags.flatten(), ignore_index=NOWHERE, reduction="sum") / mean_words
    for at, logits in enumerate(scores.classes):
        one = functional.cross_entropy(logits, classes[:, at], ignore_index=NOWHERE, reduction="sum")
        total = total + CLASS_SHARE * one
    return total


def start_biases(
    heads: Mapping[str, Tensor], layout: Layout, tags: Sequence[Tensor], classes: Sequence[Sequence[int]]
) -> None:
    """Let the biases say how frequent each tag and each class is among train rows.

    Args:
        heads: Tensors by name, changed in place.
        layout: What their rows mean.
        tags: Of each row, (words,) int64.
        classes: Class number of each classified field, of each row.
    """
    with torch.no_grad():
        if TAG_BIAS in heads:
            heads[TAG_BIAS].copy_(log_shares(np.bincount(torch.cat(list(tags)).numpy(), minlength=layout.tags.size)))
        for at, bias in enumerate(heads[CLASS_BIAS].split(layout.sizes) if CLASS_BIAS in heads else ()):
            targets = np.array([of_row[at] for of_row in classes], dtype=np.int64)
            bias.copy_(log_shares(np.bincount(targets[targets != NOWHERE], minlength=len(bias))))


def log_shares(counts: Ints) -> Tensor:
    """The bias that says how frequent each class is: (n,) counts → (n,) log shares, each counted once more."""
    smooth = counts.astype(np.float64) + 1
    return torch.from_numpy(np.log(smooth / smooth.sum())).float()


def extra_of(heads: Mapping[str, Tensor], packed: Packed) -> Tensor | None:
    """What is added to each token's embedding: how its word is written. None where the heads have no such table."""
    table = heads.get(KIND)
    return None if table is None else functional.embedding(packed.kinds.to(table.device), table)
