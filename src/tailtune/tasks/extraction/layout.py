"""What the heads of an extractor mean, and how they score: a tag for each word, a class for each field of the text.

A class is read from the whole text.
Spans are tags of words, BIO: `B-` for a span's first word, `I-` for the others, `O` outside. Tag 0 is `O`; field j has
`B-` at 1 + 2 j and `I-` at 2 + 2 j (Ramshaw and Marcus 1995, Text Chunking). The same heads are trained with a LoRA
adapter (objective.py) and on the frozen encoder (rungs/), by heads.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailtune.core.records import Span
from tailtune.predictors.base import Floats, softmax
from tailtune.predictors.encoder import BATCH_TOKENS, Stack, by_length
from tailtune.predictors.passes import is_recording, record
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Values
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.windows import Ints, Windowed, Windows

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


def _classes(field: FieldSpec) -> tuple[str | bool | None, ...]:
    values: tuple[str | bool | None, ...] = (False, True) if field.kind == "flag" else field.choices
    return (*values, None) if field.nullable else values


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


def score_text(heads: Mapping[str, Floats], layout: Layout, words: Windowed, states: Floats) -> TextScores:
    """Logits of everything in one text.

    Each classified field looks at the states by an attention of its own, then decides by a linear map. The attention is
    not scaled: a phrase among a hundred words must be found within a few hundred steps.

    Args:
        heads: Arrays by name.
        layout: What their rows mean.
        words: Of the text.
        states: (1 + words, width) float32: `[CLS]`, then the words.
    """
    tags = states[1:] @ heads[TAG_WEIGHT].T + heads[TAG_BIAS] if layout.tags.names else None
    if not layout.fields:
        return TextScores(words, tags, ())
    pooled = softmax(heads[QUERY] @ states.T) @ states
    of_class = np.repeat(np.arange(len(layout.fields)), layout.sizes)
    logits = np.einsum("cw,cw->c", pooled[of_class], heads[CLASS_WEIGHT]) + heads[CLASS_BIAS]
    return TextScores(words, tags, tuple(np.split(logits, np.cumsum(layout.sizes)[:-1])))


def batches(rows: Sequence[Windowed], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Row numbers in batches of similar length; a row's windows stay together."""
    return by_length([range(row.tokens) for row in rows], batch_tokens)


class TokenStates:
    """An encoder as extraction uses it: a state for each word of a text, and one for the text.

    Attributes:
        windows: Texts to windows of tokens.
        width: Length of a state (384 for MiniLM).
    """

    def __init__(self, stack: Stack, windows: Windows) -> None:
        """Join an encoder and its windows."""
        self._stack, self.windows, self.width = stack, windows, stack.width

    def of(self, rows: Sequence[Windowed]) -> list[Floats]:
        """States of a batch of texts, each (1 + words, width) float32: `[CLS]`, then the words."""
        ids, kinds = ([each for row in rows for each in getattr(row, name)] for name in ("ids", "kinds"))
        hidden = iter(self._stack.hidden(ids, kinds))
        return [_states(row, [next(hidden) for _ in row.ids]) for row in rows]

    def each(self, rows: Sequence[Windowed]) -> Iterator[tuple[int, Floats]]:
        """Encode texts in batches of similar length.

        Yields:
            The number of a text, and its states.
        """
        with self._stack.working(len(rows)):
            for numbers in batches(rows):
                with timed("infer"):
                    states = self.of([rows[number] for number in numbers])
                if is_recording():
                    record(
                        [_sentence(each) for each in states],
                        [[each for window in rows[number].ids for each in window] for number in numbers],
                    )
                yield from zip(numbers, states, strict=True)


def _sentence(states: Floats) -> Floats:
    """The unit mean of a text's states."""
    mean = states.mean(axis=0)
    unit: Floats = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return unit


def _states(row: Windowed, windows: Sequence[Floats]) -> Floats:
    """The state of `[CLS]` in the first window, then that of each word in its window."""
    chosen = windows[0][row.column] if len(windows) == 1 else np.stack(windows)[row.window, row.column]
    states: Floats = np.concatenate((windows[0][:1], chosen))
    return states


def kinds_of(row: Windowed) -> Ints:
    """How `[CLS]` and each word are written, (1 + words,)."""
    found = [row.kinds[window][column] for window, column in zip(row.window.tolist(), row.column.tolist(), strict=True)]
    return np.array([row.kinds[0][0], *found], dtype=np.int64)
