"""Scores of one text to what they say: spans, chosen values, and how sure each field is. Nothing is normalised yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tailtune.predictors.base import Floats, softmax
from tailtune.tasks.extraction.heads import Layout, TagSet, TextScores, best_tags
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
