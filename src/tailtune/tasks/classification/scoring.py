"""The scorer of classification answers: accuracy, macro-F1, calibration, per class, confusions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Estimate
from tailtune.core.reports import ClassResult, Confusion
from tailtune.judge.scores import Score, calibration, calibration_error
from tailtune.judge.stats import percentile_interval, wilson

_BLOCK_COUNTS = 2_000_000  # resampled counts in memory at once, 8 bytes each
_NO_LABEL = "\0"  # stands for an answer without a valid label


def score(
    expected: Sequence[str], answers: Sequence[Answer], resamples: int = 2000, bins: int = 15, seed: int = 17
) -> Score:
    """Score answers against the expected labels.

    Args:
        expected: True labels, n of them.
        answers: One per row, same order.
        resamples: Bootstrap resamples for macro-F1's interval.
        bins: Equal-mass bins of the calibration error.
        seed: Of the resampling.

    Raises:
        ValueError: Lengths differ or there is nothing to score.
    """
    if len(expected) != len(answers) or not expected:
        raise ValueError(f"{len(answers)} answers for {len(expected)} rows; expected as many, and at least one")
    values = [answer.value for answer in answers]
    right = np.array([value == label for value, label in zip(values, expected, strict=True)], dtype=np.bool_)
    confidence = np.array([answer.confidence for answer in answers], dtype=np.float64)
    return Score(
        right=right,
        metrics={
            "accuracy": wilson(int(right.sum()), len(expected)),
            "macro_f1": macro_f1(expected, values, resamples, seed),
        },
        ece=calibration_error(calibration(confidence, right, bins)),
        invalid_rows=values.count(None),
    )


def macro_f1(expected: Sequence[str], values: Sequence[str | None], resamples: int, seed: int) -> Estimate:
    """Mean F1 over the labels that occur in `expected`, with a 95 % percentile bootstrap interval over rows.

    Resampling rows is done on the cells of the confusion matrix (a multinomial over (expected, answered) pairs),
    which is the same distribution and costs no row-wise work. Memory does not grow with the resamples.
    """
    cells = Counter(zip(expected, values, strict=True))
    labels = sorted(set(expected))
    column = {label: i for i, label in enumerate(labels)}
    is_expected = np.array([column[label] for label, _ in cells])
    is_answered = np.array([-1 if value is None else column.get(value, -1) for _, value in cells])
    is_hit = np.where(is_expected == is_answered, is_expected, -1)
    counts = np.array(list(cells.values()))

    def mean_f1(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        hits, support, answered = (_summed(weights, to, len(labels)) for to in (is_hit, is_expected, is_answered))
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(support > 0, 2 * hits / (support + answered), np.nan)
        result: NDArray[np.float64] = np.nanmean(f1, axis=-1)
        return result

    measured = float(mean_f1(counts[None, :])[0])
    # One generator draws block after block what it would draw at once.
    random, block = np.random.default_rng(seed), max(1, _BLOCK_COUNTS // len(cells))
    sizes = [min(block, resamples - done) for done in range(0, resamples, block)]
    drawn = (random.multinomial(len(expected), counts / counts.sum(), size=size) for size in sizes)
    return percentile_interval(measured, np.concatenate([mean_f1(counts) for counts in drawn]), len(expected))


def _summed(weights: NDArray[np.int64], to: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sums of columns, shape (n, width): column i goes to column to[i], or nowhere where that is −1."""
    sums = np.zeros((len(weights), width), dtype=np.int64)
    order = np.argsort(to, kind="stable")[np.count_nonzero(to < 0) :]
    if len(order):
        columns, starts = np.unique(to[order], return_index=True)
        sums[:, columns] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def per_class(
    expected: Sequence[str], values: Sequence[str | None], other: Sequence[str | None] | None
) -> tuple[ClassResult, ...]:
    """Precision, recall and F1 of every expected label, worst F1 first."""
    labels = sorted(set(expected))
    precision, recall, f1, rows = _by_label(labels, expected, values)
    f1_other = np.full(len(labels), math.nan) if other is None else _by_label(labels, expected, other)[2]
    results = [
        ClassResult(
            label=label,
            rows=int(rows[at]),
            precision=float(precision[at]),
            recall=float(recall[at]),
            f1=float(f1[at]),
            f1_other=float(f1_other[at]),
        )
        for at, label in enumerate(labels)
    ]
    return tuple(sorted(results, key=lambda result: (math.isnan(result.f1), result.f1, result.label)))


def _by_label(
    labels: Sequence[str], expected: Sequence[str], values: Sequence[str | None]
) -> tuple[NDArray[np.float64], ...]:
    """Precision (NaN for a label that nobody answered), recall, F1 and rows of each label."""
    from sklearn.metrics import precision_recall_fscore_support

    answered = [_NO_LABEL if value is None else value for value in values]
    found: tuple[NDArray[np.float64], ...] = precision_recall_fscore_support(
        expected, answered, labels=labels, zero_division=np.nan
    )
    return found


def confusions(expected: Sequence[str], values: Sequence[str | None], most: int = 25) -> tuple[Confusion, ...]:
    """The most frequent wrong pairs, most first."""
    pairs = Counter(
        (label, value if value is not None else "(no valid answer)")
        for label, value in zip(expected, values, strict=True)
        if label != value
    )
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(Confusion(expected=label, answered=value, rows=rows) for (label, value), rows in ranked)
