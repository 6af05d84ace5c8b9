"""Scores of one text to what they say: spans, chosen values, and how sure each field is. Nothing is normalised yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats, softmax
from tailtune.tasks.extraction.layout import Layout, TagSet, TextScores
from tailtune.tasks.extraction.values import Candidate, Chosen
from tailtune.tasks.extraction.windows import Ints, Windowed


@dataclass(frozen=True, slots=True)
class Calibration:
    """One per trained extractor: what makes its probabilities honest, fitted on dev.

    Attributes:
        tags: Logits of tags are divided by it.
        classes: Logits of each classified field are divided by its own.
        given: Probability of a span that was found is raised to this power.
        absent: Probability that a field stands nowhere is raised to this power.
    """

    tags: float = 1.0
    classes: tuple[float, ...] = ()
    given: float = 1.0
    absent: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One per text.

    Attributes:
        found: What stands in the text, sorted by start, each with its probability.
        chosen: Classified field → its value, None for no value, with its probability.
        absent: Field that was not found → probability that the text does not say it.
    """

    found: tuple[Candidate, ...]
    chosen: Mapping[str, Chosen]
    absent: Mapping[str, float]


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


def read(layout: Layout, scores: TextScores, calibration: Calibration) -> Reading:
    """Read the scores of one text.

    Args:
        layout: What the scores mean.
        scores: Of the text.
        calibration: Of the probabilities.
    """
    chosen: dict[str, Chosen] = {}
    for at, (name, logits) in enumerate(zip(layout.fields, scores.classes, strict=True)):
        probabilities = softmax(logits / (calibration.classes[at] if calibration.classes else 1.0))
        best = int(probabilities.argmax())
        chosen[name] = Chosen(layout.classes[at][best], float(probabilities[best]))
    if scores.tags is None or not len(scores.tags):
        return Reading((), chosen, dict.fromkeys(layout.tags.names, 1.0))
    probabilities = softmax(scores.tags / calibration.tags)
    found = _candidates(layout.tags, scores.words, best_tags(scores.tags), probabilities, calibration.given)
    return Reading(tuple(found), chosen, _absent(layout.tags, found, probabilities, calibration.absent))


def _candidates(tags: TagSet, words: Windowed, best: Ints, probabilities: Floats, power: float) -> list[Candidate]:
    """Spans of the best legal tags; one is right when each of its tags is and it does not go on after."""
    own = probabilities[np.arange(len(best)), best]
    found = []
    for span, first, after in tags.spans(words, best.tolist()):
        ends = 1.0 if after == len(best) else 1.0 - float(probabilities[after, tags.begin(span.label) + 1])
        found.append(Candidate(span, (float(own[first:after].prod()) * ends) ** power))
    return found


def _absent(tags: TagSet, found: list[Candidate], probabilities: Floats, power: float) -> dict[str, float]:
    """A field is absent where no word begins it."""
    begins = (1.0 - probabilities[:, 1::2].max(axis=0)).clip(0.0, 1.0) ** power
    present = {candidate.span.label for candidate in found}
    return {name: sure for name, sure in zip(tags.names, begins.tolist(), strict=True) if name not in present}
