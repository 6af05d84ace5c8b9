"""Scores of tags to the best legal sequence: an `I-` tag stands only behind a tag of its own field.

Nearly always the sequence of each word's best tag is legal already, and then it is the best legal one. Else Viterbi
runs, which needs no matrix of transitions here: every tag but `I-` may follow every tag (Viterbi 1967).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats
from tailtune.tasks.extraction.windows import Ints


def best_tags(scores: Floats) -> Ints:
    """The legal tag sequence of the highest sum.

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
