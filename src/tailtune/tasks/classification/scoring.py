"""The scorer of classification answers: accuracy, macro-F1, calibration, per class, confusions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Estimate
from tailtune.core.reports import CalibrationBin, ClassResult, Confusion
from tailtune.judge.scores import Score
from tailtune.judge.stats import percentile_interval, wilson

_BLOCK_COUNTS = 2_000_000  # resampled counts in memory at once, 8 bytes each


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
    return percentile_interval(measured, np.concatenate([mean_f1(part) for part in drawn]), len(expected))


def _summed(weights: NDArray[np.int64], to: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sums of columns, shape (n, width): column i goes to column to[i], or nowhere where that is −1."""
    sums = np.zeros((len(weights), width), dtype=np.int64)
    order = np.argsort(to, kind="stable")[np.count_nonzero(to < 0) :]
    if len(order):
        columns, starts = np.unique(to[order], return_index=True)
        sums[:, columns] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int) -> tuple[CalibrationBin, ...]:
    """Rows in bins of equal mass by confidence; empty when any confidence is missing.

    Source: equal-mass binning after Nguyen and O'Connor (2015); less biased than equal-width bins.
    """
    if np.isnan(confidence).any():
        return ()
    order = np.argsort(confidence, kind="stable")
    return tuple(
        CalibrationBin(
            confidence=float(confidence[part].mean()), accuracy=float(right[part].mean()), rows=int(part.size)
        )
        for part in np.array_split(order, min(bins, order.size))
    )


def calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Mean gap between confidence and accuracy, weighted by rows; NaN without bins."""
    rows = sum(item.rows for item in bins)
    return sum(item.rows * abs(item.confidence - item.accuracy) for item in bins) / rows if rows else math.nan


def per_class(
    expected: Sequence[str], values: Sequence[str | None], other: Sequence[str | None] | None
) -> tuple[ClassResult, ...]:
    """Precision, recall and F1 of every expected label, worst F1 first."""
    hits, others = _counts(expected, values), None if other is None else _counts(expected, other)
    results = []
    for label, (tp, answered, support) in hits.items():
        results.append(
            ClassResult(
                label=label,
                rows=support,
                precision=tp / answered if answered else math.nan,
                recall=tp / support,
                f1=2 * tp / (answered + support),
                f1_other=math.nan if others is None else 2 * others[label][0] / (others[label][1] + support),
            )
        )
    return tuple(sorted(results, key=lambda item: (item.f1, item.label)))


def _counts(expected: Sequence[str], values: Sequence[str | None]) -> dict[str, tuple[int, int, int]]:
    support, answered = Counter(expected), Counter(values)
    hits = Counter(label for label, value in zip(expected, values, strict=True) if label == value)
    return {label: (hits[label], answered[label], support[label]) for label in support}


def confusions(expected: Sequence[str], values: Sequence[str | None], most: int = 25) -> tuple[Confusion, ...]:
    """The most frequent wrong pairs, most first."""
    pairs = Counter(
        (label, value if value is not None else "(no valid answer)")
        for label, value in zip(expected, values, strict=True)
        if label != value
    )
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(Confusion(expected=e, answered=a, rows=n) for (e, a), n in ranked)
