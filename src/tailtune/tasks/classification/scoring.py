"""The scorer of classification answers: accuracy, macro-F1, calibration, per class, confusions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.core.measures import of_one
from tailtune.core.records import Answer
from tailtune.core.reports import ClassResult, Confusion
from tailtune.judge.counted import Counted, groups_of
from tailtune.judge.scores import Score, calibration, calibration_error
from tailtune.tasks.label_check import skeleton

_NO_LABEL = "\0"  # stands for an answer without a valid label


def score(
    expected: Sequence[str],
    answers: Sequence[Answer],
    bins: int = 15,
    groups: Sequence[str | None] = (),
    recall: Iterable[str] = (),
    f1: Iterable[str] = (),
) -> Score:
    """Score answers against the expected labels.

    Args:
        expected: True labels, n of them.
        answers: One per row, same order.
        bins: Equal-mass bins of the calibration error.
        groups: Each row's group; empty when rows are independent.
        recall: Labels whose recall is a measure of its own.
        f1: Labels whose F1 is.

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
        counted={
            "accuracy": Counted.shares(right),
            "macro_f1": macro_f1(expected, values),
            **{of_one("recall", label): Counted.shares(right, _is(label, expected)) for label in recall},
            **{of_one("f1", label): _f1(_is(label, expected), _is(label, values)) for label in f1},
        },
        groups=groups_of(groups),
        ece=calibration_error(calibration(confidence, right, bins)),
        invalid_rows=values.count(None),
        look_alike_rows=_look_alike_rows(expected, values),
    )


def _look_alike_rows(expected: Sequence[str], values: Sequence[str | None]) -> int:
    """Wrong rows whose answer differs from the label in nothing but case, spaces, punctuation or what is invisible."""
    wrong = Counter((label, value) for label, value in zip(expected, values, strict=True) if value not in (label, None))
    return sum(rows for (label, value), rows in wrong.items() if value and skeleton(label) == skeleton(value))


def _is(label: str, values: Sequence[str | None]) -> NDArray[np.bool_]:
    return np.array([value == label for value in values], dtype=np.bool_)


def _f1(expected: NDArray[np.bool_], answered: NDArray[np.bool_]) -> Counted:
    return Counted.ratio(2 * (expected & answered), expected.astype(np.int64) + answered)


def macro_f1(expected: Sequence[str], values: Sequence[str | None]) -> Counted:
    """What F1 counts, a part for each label that is expected: a right row is twice a hit, answered and expected."""
    place = {label: i for i, label in enumerate(sorted(set(expected)))}
    entries = []
    for row, (label, value) in enumerate(zip(expected, values, strict=True)):
        if value == label:
            entries.append((row, place[label], 2.0, 2.0))
            continue
        entries.append((row, place[label], 0.0, 1.0))
        if value is not None and value in place:
            entries.append((row, place[value], 0.0, 1.0))
    table = np.array(entries, dtype=np.float64)
    rows, parts = (table[:, column].astype(np.int64) for column in (0, 1))
    return Counted(len(expected), rows, parts, table[:, 2], table[:, 3], len(place))


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
