"""What two classifiers that did not learn from some rows say of these rows' labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailtune.core.records import Row
from tailtune.judge.ceiling import Opinions
from tailtune.tasks.classification.rungs import BLOCK_SCORES, Classifier, label_index

_LEAST = 1e-12  # a probability of 0 is a matter of digits


def opinions(rows: Sequence[Row[str]], head: Classifier, neighbours: Classifier) -> Opinions:
    """Ask both, in blocks of rows: no array of all rows × labels is made.

    Args:
        rows: n of them, not learnt from by either.
        head: Gives a probability to every label; says which other label is likely, and how much so.
        neighbours: Seconds it or not.
    """
    labels = head.labels
    block = max(1, BLOCK_SCORES // (4 * len(labels)))
    likely, confidence, odds, seconded = (np.empty(len(rows), dtype=kind) for kind in (np.int64, float, float, bool))
    for start in range(0, len(rows), block):
        some = rows[start : start + block]
        place, here = np.arange(len(some)), slice(start, start + len(some))
        own, texts = label_index(labels, some), [row.text for row in some]
        probabilities = head.probabilities(texts)
        own_probability = probabilities[place, own]
        probabilities[place, own] = -1.0
        likely[here] = probabilities.argmax(axis=1)
        confidence[here] = probabilities.max(axis=1)
        odds[here] = confidence[here] / np.maximum(own_probability, _LEAST)
        seconded[here] = neighbours.probabilities(texts).argmax(axis=1) == likely[here]
    return Opinions([labels[place] for place in likely], confidence, odds, seconded)
