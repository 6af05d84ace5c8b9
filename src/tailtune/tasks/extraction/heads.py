"""What stands on the encoder's states: one tag for each word, one class for each field that is read from all of them.

Spans are tags of words, BIO: `B-` for a span's first word, `I-` for the others, `O` outside. Tag 0 is `O`; field j has
`B-` at 1 + 2 j and `I-` at 2 + 2 j (Ramshaw and Marcus 1995, Text Chunking). The same heads are trained with a LoRA
adapter (objective.py) and on the frozen encoder (rungs/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tailtune.core.records import Span
from tailtune.predictors.base import Floats
from tailtune.predictors.bert import Bert, settled
from tailtune.predictors.encoder import BATCH_TOKENS, by_length
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Values
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.windows import Ints, Packed, Windowed, Windows, pack

OUTSIDE = 0


@dataclass(frozen=True, slots=True)
class Tagged:
    """One per labelled text.

    Attributes:
        tags: (words,) int64.
        widened: Spans that begin or end inside a word: the tags say the whole word.
        lost: Spans that got no word of their own: none lies under them, or another span was there first.
    """

    tags: Ints
    widened: int
    lost: int


@dataclass(frozen=True)
class TagSet:
    """One per use case: the fields whose values stand in the text, in the schema's order."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many tags there are: an odd number."""
        return 1 + 2 * len(self.names)

    def begin(self, name: str) -> int:
        """The `B-` tag of a field; its `I-` tag is the next one."""
        return 1 + 2 * self.names.index(name)

    def tag(self, words: Windowed, spans: Sequence[Span]) -> Tagged:
        """Tag the words under spans; the first span wins where two touch one word.

        Args:
            words: Of the text.
            spans: Sorted by start; labels that are no field of the set are passed over.
        """
        tags = np.zeros(len(words.starts), dtype=np.int64)
        widened = lost = 0
        for span in spans:
            if span.label not in self.names:
                continue
            first = int(np.searchsorted(words.ends, span.start, side="right"))
            after = int(np.searchsorted(words.starts, span.end, side="left"))
            free = [at for at in range(first, after) if tags[at] == OUTSIDE]
            if not free:
                lost += 1
                continue
            begin = self.begin(span.label)
            tags[free[0]] = begin
            tags[free[0] + 1 : free[-1] + 1] = begin + 1
            widened += bool(words.starts[first] < span.start or words.ends[after - 1] > span.end)
        return Tagged(tags, widened, lost)

    def spans(self, words: Windowed, tags: Sequence[int]) -> list[tuple[Span, int, int]]:
        """Read tags as spans, each with its first word and the word after its last, sorted by start.

        Args:
            words: Of the text.
            tags: (words,), a legal sequence; an `I-` that continues nothing begins a span.
        """
        found: list[tuple[Span, int, int]] = []
        open_at, field = -1, -1
        for at, tag in enumerate((*tags, OUTSIDE)):
            inside = tag != OUTSIDE and tag % 2 == 0 and (tag - 2) // 2 == field
            if inside:
                continue
            if field >= 0:
                span = Span(int(words.starts[open_at]), int(words.ends[at - 1]), self.names[field])
                found.append((span, open_at, at))
            open_at, field = (at, (tag - 1) // 2) if tag != OUTSIDE else (-1, -1)
        return found


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
            found.append(next((at for at, choice in enumerate(classes) if choice is value or choice == value), NOWHERE))
        return found

    def empty(self, width: int, kinds: int, device: str) -> dict[str, Tensor]:
        """Heads of zeros, gradients on.

        Args:
            width: Of states.
            kinds: How many ways of writing a word are distinguished (windows.py); 0 leaves their embedding out.
            device: Where they are.

        Returns:
            Tensors by name; a kind of field that the schema lacks has none.
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


def _classes(field: FieldSpec) -> tuple[str | bool | None, ...]:
    values: tuple[str | bool | None, ...] = (False, True) if field.kind == "flag" else field.choices
    return (*values, None) if field.nullable else values


def best_tags(scores: Floats) -> Ints:
    """The legal tag sequence of the highest sum: an `I-` tag stands only behind a tag of its own field.

    Nearly always the sequence of each word's best tag is legal already, and then it is the best legal one. Else Viterbi
    runs, which needs no matrix of transitions here: every tag but `I-` may follow every tag (Viterbi 1967).

    Args:
        scores: (words, tags) of one text, finite; tag 0 is `O`, `B-` tags are odd, each followed by its `I-`.

    Returns:
        (words,) int64.
    """
    greedy: Ints = scores.argmax(axis=1)
    return greedy if is_legal(greedy) else _viterbi(scores)


def is_legal(tags: Ints) -> bool:
    """Whether each `I-` tag follows a tag of its own field."""
    inner = (tags != 0) & (tags % 2 == 0)
    if not inner.any():
        return True
    before = np.concatenate(([0], tags[:-1]))
    return bool(((before == tags) | (before == tags - 1))[inner].all())


def _viterbi(scores: Floats) -> Ints:
    """Best sums by last tag, word by word, then the path back."""
    words, tags = scores.shape
    best = scores[0].astype(np.float64)
    best[2::2] = -np.inf
    back = np.zeros((words, tags), dtype=np.int64)
    begins = np.arange(1, tags, 2)
    for at in range(1, words):
        top = int(best.argmax())
        back[at] = top
        now = scores[at] + best[top]
        own = np.where(best[1::2] >= best[2::2], begins, begins + 1)
        back[at, 2::2] = own
        now[2::2] = scores[at, 2::2] + best[own]
        best = now
    return _path(back, int(best.argmax()))


def _path(back: NDArray[np.int64], last: int) -> Ints:
    path = np.empty(len(back), dtype=np.int64)
    for at in range(len(back) - 1, -1, -1):
        path[at] = last
        last = int(back[at, last])
    return path


def extra_of(heads: Mapping[str, Tensor], packed: Packed) -> Tensor | None:
    """What is added to each token's embedding: how its word is written. None where the heads have no such table."""
    table = heads.get(KIND)
    return None if table is None else functional.embedding(packed.kinds.to(table.device), table)


def batches(rows: Sequence[Windowed], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Row numbers in batches of similar length; a row's windows stay together."""
    return by_length([range(row.tokens) for row in rows], batch_tokens)


class TokenStates:
    """An encoder as extraction uses it: a state for each word of a text, and one for the text."""

    def __init__(self, bert: Bert, windows: Windows, heads: Mapping[str, Tensor] | None = None) -> None:
        """Join an encoder and its windows; of `heads` only the embedding of how words are written is used."""
        self._bert, self._heads = bert, heads or {}
        self.windows = windows

    @property
    def width(self) -> int:
        """Length of a state (384 for MiniLM)."""
        return self._bert.width

    def of(self, packed: Packed) -> Tensor:
        """States of a batch → (n, 1 + words, width) float32: `[CLS]`, then the words."""
        return packed.states(self._bert(packed.ids, packed.mask, extra_of(self._heads, packed)))

    def each(self, rows: Sequence[Windowed], on_batch: Callable[[list[int], Packed, Tensor], None]) -> None:
        """Encode rows in batches of similar length.

        Args:
            rows: Windowed texts.
            on_batch: Called with the numbers of some rows, the rows packed, and their states.
        """
        with torch.inference_mode(), settled(len(rows)):
            for numbers in batches(rows):
                with timed("infer"):
                    packed = pack([rows[number] for number in numbers])
                    states = self.of(packed)
                on_batch(numbers, packed, states)
