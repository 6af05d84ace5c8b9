"""Which given labels are suspect, by confident learning."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

MAX_PROBABILITIES, MAX_LABELS = 2**26, 4096  # rows × labels, 256 MB; and the table of labels by labels, 128 MB


def too_many(rows: int, labels: int) -> str:
    """Why suspects cannot be looked for in bounded memory; empty when they can."""
    if labels <= MAX_LABELS and rows * labels <= MAX_PROBABILITIES:
        return ""
    return (
        f"suspect labels ({rows:,} dev rows × {labels:,} labels; memory is bounded to {MAX_LABELS:,} labels and "
        f"{MAX_PROBABILITIES:,} probabilities)"
    )


def suspects(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each given label is likely wrong.

    How many rows of class i stand labelled as class j is estimated from rows that are given at least the confidence
    that is usual for i, and scaled to all rows; so many rows are suspect, those with the widest margin against their
    label. What is usual is the mean over the rows labelled so: a class that is always named hesitantly is not noisy
    for it.

    Args:
        labels: Given class of each row, 0 to k − 1, shape (n,).
        probabilities: Of a model that did not learn from these rows, shape (n, k), rows sum to 1.

    Returns:
        Shape (n,). With fewer than two classes among the labels nothing can be confused: then nobody is suspect.

    Raises:
        ValueError: Shapes do not fit, or a class is outside 0 to k − 1.

    Source: Northcutt, Jiang and Chuang (2021), "Confident learning", JAIR 70; the library cleanlab,
    `prune_by_noise_rate`. A suspicion needs a second witness: classes that look alike are called noisy too.
    """
    n = labels.size
    if probabilities.ndim != 2 or labels.shape != (len(probabilities),):
        raise ValueError(f"labels {labels.shape} and probabilities {probabilities.shape}; expected (n,) and (n, k)")
    if n and not 0 <= int(labels.min()) <= int(labels.max()) < probabilities.shape[1]:
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}; expected 0 to {probabilities.shape[1] - 1}")
    if np.unique(labels).size < 2:
        return np.zeros(n, dtype=np.bool_)
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # Classes with no row, or five, are usual in dev; that not all of their errors can be found is no news.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        # One process: forking beside encoder threads costs more than these few thousand rows.
        found = find_label_issues(labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1, verbose=False)
    return np.asarray(found, dtype=np.bool_)
