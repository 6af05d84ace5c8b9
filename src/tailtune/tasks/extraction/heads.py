"""What stands on the encoder's states: one tag for each word, one class for each field that is read from all of them.

The same heads are trained with a LoRA adapter (fields.py) and on the frozen encoder (rungs/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.base import Floats
from tailtune.tasks.extraction.annotations import Values
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.tags import TagSet
from tailtune.tasks.extraction.windows import Ints, Windowed

NOWHERE = -100
"""Target of what is not learnt from: padding, and a value that the field's choices lack."""
CLASS_SHARE = 0.3
"""Weight of one classified field against all tags of a text."""

KIND, TAG_WEIGHT, TAG_BIAS = "kind.weight", "tag.weight", "tag.bias"
QUERY, CLASS_WEIGHT, CLASS_BIAS = "field.query", "field.weight", "field.bias"


@dataclass(frozen=True)
class Layout:
    """One per use case: what the heads' rows mean.

    Attributes:
        tags: Of fields that stand in the text.
        fields: Classified fields, in the schema's order.
        classes: Their values, one tuple for each field; None is the class without a value.
    """

    tags: TagSet
    fields: tuple[str, ...]
    classes: tuple[tuple[str | bool | None, ...], ...]

    @classmethod
    def of(cls, schema: ObjectSchema) -> Layout:
        """What a schema asks for."""
        return cls(
            TagSet(tuple(field.name for field in schema.spanned)),
            tuple(field.name for field in schema.classified),
            tuple(_classes(field) for field in schema.classified),
        )

    @property
    def sizes(self) -> list[int]:
        """How many classes each field has."""
        return [len(values) for values in self.classes]

    def targets(self, values: Values) -> list[int]:
        """The class number of each classified field; `NOWHERE` for a value that is none of its classes."""
        found = []
        for name, classes in zip(self.fields, self.classes, strict=True):
            value = values.get(name)
            found.append(next((at for at, one in enumerate(classes) if one is value or one == value), NOWHERE))
        return found

    def empty(self, width: int, kinds: int, device: str) -> dict[str, Tensor]:
        """Heads of zeros, gradients on.

        Args:
            width: Of states.
            kinds: Ways of writing that are told apart (writing.py); 0 leaves their embedding out.
            device: Where they are.

        Returns:
            Tensors by name; a sort of field that the schema lacks has none.
        """
        shapes: dict[str, tuple[int, ...]] = {KIND: (kinds, width)} if kinds else {}
        if self.tags.names:
            shapes |= {TAG_WEIGHT: (self.tags.size, width), TAG_BIAS: (self.tags.size,)}
        if self.fields:
            total = sum(self.sizes)
            shapes |= {QUERY: (len(self.fields), width), CLASS_WEIGHT: (total, width), CLASS_BIAS: (total,)}
        return {name: torch.zeros(shape, device=device, requires_grad=True) for name, shape in shapes.items()}


@dataclass(frozen=True, slots=True)
class TextScores:
    """One per text.

    Attributes:
        words: Of the text.
        tags: (words, tags) logits; None without fields that stand in the text.
        classes: For each classified field (classes,) logits.
    """

    words: Windowed
    tags: Floats | None
    classes: tuple[Floats, ...]


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
            TextScores(row, None if tags is None else tags[at, : len(row.starts)], tuple(one[at] for one in classes))
            for at, row in enumerate(rows)
        ]


def score(heads: Mapping[str, Tensor], layout: Layout, states: Tensor, present: Tensor) -> Scores:
    """Logits of everything.

    Each classified field looks at the states by an attention of its own, then decides by a linear map. The attention is
    not scaled: a phrase among a hundred words must be found within a few hundred steps.

    Args:
        heads: Tensors by name, as `Layout.empty` shapes them.
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


def log_shares(counts: Ints) -> Tensor:
    """The bias that says how frequent each class is: (n,) counts → (n,) log shares, each counted once more."""
    smooth = counts.astype(np.float64) + 1
    return torch.from_numpy(np.log(smooth / smooth.sum())).float()


def _classes(field: FieldSpec) -> tuple[str | bool | None, ...]:
    values: tuple[str | bool | None, ...] = (False, True) if field.kind == "flag" else field.choices
    return (*values, None) if field.nullable else values
