"""The accuracy of rows whose truth nobody knows, from the model's own probabilities. Pure.

    found = estimated_accuracy(reference, window)         # Labelled, TopLabels: of a classifier
    found = estimated_field_accuracy(reference, right, window)   # confidences of fields: of an extractor
    found.accuracy                                        # Estimate, or None with found.reason

Confidence-based performance estimation (CBPE; Kuckuck and NannyML 2022): the mean probability of being right over the
window's rows, with a curve from confidence to being right that is fitted to the version's reference, rows that are
labelled and that it did not learn from. Two steps more:

1. **The mix of labels may have moved.** How often each label occurs in the window is estimated from the up to five
   likeliest labels of each row and the rest, by expectation-maximisation (Saerens, Latinne and Decaestecker 2002), drawn
   to the reference's mix as if some rows of that mix had been seen besides, so that few rows move little. The same is
   done for the reference, and the ratio of both is what a row of the reference counts: what is wrong in the
   probabilities themselves cancels out. So the curve is fitted to a reference of the window's mix.
2. **The interval knows two chances**: which rows stood in the reference, and which stood in the window or, if that is
   more, how many of these rows happen to be right.

`CANNOT_SEE` says what no such estimate knows. Labels may be texts or numbers: they are compared as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.judge.recalibration import Curve, fitted, log_odds
from tailtune.judge.stats import score_ends

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

CANNOT_SEE = (
    "estimated from the model's own probabilities: it sees harder texts and another mix of labels, not that the right "
    "answer to the same text has changed, nor texts unlike any that it was calibrated on; an audit sees those"
)
LIKELIEST = 5
"""Labels kept of each row."""
FEWEST = 50
"""Labelled rows that a reference needs."""
_ROUNDS, _STILL = 200, 1e-6
_MOST_MIXED = 20_000  # rows from which a mix of labels is estimated
_MOST_WEIGHT = 10.0
_NONE = -1


@dataclass(frozen=True)
class TopLabels:
    """One per set of rows: the likeliest labels of each with their probabilities, likeliest first.

    Attributes:
        names: Every label that occurs, as text.
        codes: Places in `names`, shape (rows, k); −1 where a row has fewer.
        probabilities: Shape (rows, k); 0 where there is no label, NaN where a row has no probability at all.
    """

    names: tuple[str, ...]
    codes: Codes
    probabilities: NDArray[np.float32]

    @classmethod
    def of(cls, likeliest: Iterable[Sequence[tuple[Any, float | None]]], most: int = LIKELIEST) -> TopLabels:
        """From what each row's answer says, as the prediction log has it: label and probability, likeliest first."""
        places: dict[str, int] = {}
        codes: list[list[int]] = []
        probabilities: list[list[float]] = []
        for row in likeliest:
            best = [(label, share) for label, share in row[:most] if share is not None]
            left = most - len(best)
            codes.append([places.setdefault(str(label), len(places)) for label, _ in best] + [_NONE] * left)
            probabilities.append([share for _, share in best] + [0.0 if best else np.nan] * left)
        wide = np.array(codes, dtype=np.int32).reshape(-1, most)
        return cls(tuple(places), wide, np.array(probabilities, dtype=np.float32).reshape(-1, most))

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.codes)

    @property
    def confidence(self) -> Floats:
        """Probability of each row's answer, NaN where there is none, shape (rows,)."""
        return self.probabilities[:, 0].astype(np.float64)

    def of_rows(self, chosen: NDArray[Any]) -> TopLabels:
        """Some of the rows."""
        return TopLabels(self.names, self.codes[chosen], self.probabilities[chosen])

    def coded(self, names: Sequence[str]) -> Codes:
        """The labels as places in other names, −1 for one that is not among them, shape (rows, k)."""
        known = {name: place for place, name in enumerate(names)}
        table = np.array([known.get(name, _NONE) for name in self.names] + [_NONE], dtype=np.int32)
        return table[self.codes]  # −1, no label, reads the last


@dataclass(frozen=True)
class Labelled:
    """One per reference: labelled rows that the version answered and did not learn from.

    Attributes:
        top: Their likeliest labels; the first is the answer.
        truth: The right label of each, as text or number.
    """

    top: TopLabels
    truth: Sequence[Any]

    @property
    def right(self) -> Floats:
        """Whether each answer is right, 0 or 1, shape (rows,)."""
        answered = [self.top.names[code] if code >= 0 else None for code in self.top.codes[:, 0]]
        same = [answer == str(truth) for answer, truth in zip(answered, self.truth, strict=True)]
        return np.array(same, dtype=np.float64)


@dataclass(frozen=True)
class EstimatedAccuracy:
    """One per window.

    Attributes:
        accuracy: Expected share of right answers (of an extractor, of right fields); None when it cannot be said.
        reason: Why it cannot be said; empty when it is.
        macro_f1: Expected macro F1, without interval; None when not estimated.
        right_by: Label that was answered, or field → expected share of right ones among those of the window.
        mix: Label → its estimated share of the window; empty when not estimated.
        rows: Rows of the window that had a probability.
        without: Rows that had none, and are left out.
    """

    accuracy: Estimate | None
    reason: str = ""
    macro_f1: float | None = None
    right_by: dict[str, float] = field(default_factory=dict)
    mix: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    without: int = 0


def estimated_accuracy(reference: Labelled, window: TopLabels) -> EstimatedAccuracy:
    """The expected accuracy of a classifier on rows without labels.

    Args:
        reference: Of the version that answered them.
        window: The rows.
    """
    measured = ~np.isnan(window.confidence)
    seen, without = window.of_rows(measured), int((~measured).sum())
    known = ~np.isnan(reference.top.confidence)
    kept = Labelled(
        reference.top.of_rows(known), [truth for truth, has in zip(reference.truth, known, strict=True) if has]
    )
    reason = _impossible(kept, seen, window.rows)
    if reason:
        return EstimatedAccuracy(None, reason, rows=seen.rows, without=without)
    names = sorted({str(truth) for truth in kept.truth})
    place = {name: at for at, name in enumerate(names)}
    truth = np.array([place[str(each)] for each in kept.truth])
    shares = np.bincount(truth, minlength=len(names)) / truth.size
    mix, odds_of_label = _mixes(kept.top, seen, names, shares)
    weights = odds_of_label[truth]
    curve = fitted(log_odds(kept.top.confidence), kept.right, weights * (weights.size / weights.sum()))
    odds = log_odds(seen.confidence)
    right = curve.right(odds)
    answered = seen.codes[:, 0]
    return EstimatedAccuracy(
        accuracy=_estimate(curve, odds, right, rows=seen.rows),
        macro_f1=_macro_f1(right, seen.coded(names)[:, 0], mix),
        right_by=_by_answer(seen.names, answered, right),
        mix={name: float(share) for name, share in zip(names, mix, strict=True)},
        rows=seen.rows,
        without=without,
    )


def estimated_field_accuracy(
    reference: NDArray[np.floating], right: NDArray[np.bool_], window: NDArray[np.floating], fields: Sequence[str]
) -> EstimatedAccuracy:
    """The expected share of right fields of an extractor on rows without labels.

    Args:
        reference: Confidence of each field's answer in labelled rows, NaN where there is none, shape (n, fields).
        right: Whether it is right, same shape.
        window: Confidences in the window's rows, shape (m, fields).
        fields: Their names, in the order of the columns.
    """
    measured = ~np.isnan(window).all(axis=1) if window.size else np.zeros(len(window), dtype=bool)
    seen, without = window[measured], int((~measured).sum())
    known = ~np.isnan(reference)
    labelled = int(known.any(axis=1).sum()) if known.size else 0
    reason = _too_little(labelled, len(seen), len(window))
    if reason:
        return EstimatedAccuracy(None, reason, rows=len(seen), without=without)
    rows = np.nonzero(known)[0].astype(np.int64)
    curve = fitted(log_odds(reference[known]), right[known].astype(np.float64), rows=rows)
    filled = ~np.isnan(seen)
    odds = log_odds(seen[filled])
    probable = np.full(seen.shape, np.nan)
    probable[filled] = curve.right(odds)
    by_row = np.nanmean(probable, axis=1)
    # The fields of a row are right or wrong together, as much as they are in the reference.
    together = _together(curve, reference, right, known)
    estimate = _estimate(curve, odds, by_row, rows=len(seen), spread=together)
    with np.errstate(invalid="ignore"):
        means = [float(np.nanmean(column)) if not np.isnan(column).all() else np.nan for column in probable.T]
    return EstimatedAccuracy(
        accuracy=estimate,
        right_by={name: mean for name, mean in zip(fields, means, strict=True) if not np.isnan(mean)},
        rows=len(seen),
        without=without,
    )


def _too_little(labelled: int, seen: int, rows: int) -> str:
    if rows == 0:
        return "no rows in the window"
    if seen == 0:
        return "no answer of the window has a probability: this version gives none"
    if labelled < FEWEST:
        return f"{labelled} labelled rows with a probability in the reference; expected at least {FEWEST}"
    return ""


def _impossible(reference: Labelled, window: TopLabels, rows: int) -> str:
    """Why nothing can be said; empty where it can."""
    reason = _too_little(reference.top.rows, window.rows, rows)
    if reason:
        return reason
    if len({str(truth) for truth in reference.truth}) < 2:
        return "every row of the reference has the same label, so nothing is known of mistakes between labels"
    answers = np.unique(window.codes[:, 0])
    if answers.size == 1:
        return f"every answer of the window is {window.names[answers[0]]}: such probabilities show no mix of labels"
    return ""


def _mixes(reference: TopLabels, window: TopLabels, names: Sequence[str], shares: Floats) -> tuple[Floats, Floats]:
    """Each label's share of the window, and how much more often it stands there than in the reference."""
    then, now = (_mix(each, names, shares) for each in (reference, window))
    ratio = np.clip(now / then, 1 / _MOST_WEIGHT, _MOST_WEIGHT)
    mix = shares * ratio
    return mix / mix.sum(), ratio


def _mix(top: TopLabels, names: Sequence[str], shares: Floats) -> Floats:
    """Each label's share of some rows, by expectation-maximisation from the shares of the reference.

    What a row leaves to labels beyond its likeliest is dealt to all labels by their shares.
    """
    every = max(1, -(-top.rows // _MOST_MIXED))
    codes, probabilities = top.coded(names)[::every], top.probabilities[::every].astype(np.float64)
    known = codes >= 0
    probabilities = np.where(known, probabilities, 0.0)
    places, rest = np.where(known, codes, 0), np.clip(1 - probabilities.sum(axis=1), 0.0, 1.0)
    drawn = float(len(names))  # rows of the reference's mix that count besides
    mix = shares
    for _ in range(_ROUNDS):
        likely = probabilities * (mix / shares)[places]
        total = likely.sum(axis=1) + rest
        expected = np.bincount(places.ravel(), (likely / total[:, None]).ravel(), len(names))
        expected = expected + (rest / total).sum() * mix
        after = (expected + drawn * shares) / (len(codes) + drawn)
        moved, mix = float(np.abs(after - mix).sum()), after
        if moved < _STILL:
            break
    return mix


def _estimate(curve: Curve, odds: Floats, right: Floats, *, rows: int, spread: float | None = None) -> Estimate:
    """The mean with its interval.

    Args:
        curve: From confidence to being right.
        odds: Log odds of the window's confidences.
        right: Probability of being right, row by row.
        rows: How many.
        spread: Variance of one row's own share around its probability; that of right or wrong when None.
    """
    value = float(right.mean())
    own = float((right * (1 - right)).mean()) if spread is None else spread
    variance = curve.mean_variance(odds) + max(own, float(right.var())) / rows
    worth = max(1.0, value * (1 - value) / max(variance, 1e-12))
    low, high = score_ends(value, worth)
    return Estimate(value=value, low=low, high=high, rows=rows, worth_rows=worth)


def _together(
    curve: Curve, reference: NDArray[np.floating], right: NDArray[np.bool_], known: NDArray[np.bool_]
) -> float:
    """Mean square by which a row's share of right fields lies beside what its confidences say."""
    beside = np.zeros(reference.shape)
    beside[known] = right[known] - curve.right(log_odds(reference[known]))
    counted = known.sum(axis=1)
    by_row = beside.sum(axis=1)[counted > 0] / counted[counted > 0]
    return float((by_row**2).mean())


def _macro_f1(right: Floats, answered: Codes, mix: Floats) -> float | None:
    """Mean F1 over the labels of which a row or more is expected, from expected counts."""
    counted = answered >= 0
    hits = np.bincount(answered[counted], right[counted], mix.size)
    answers = np.bincount(answered[counted], minlength=mix.size)
    expected = mix * right.size
    there = expected >= 1
    if not there.any():
        return None
    return float((2 * np.minimum(hits, expected) / (answers + expected))[there].mean())


def _by_answer(names: Sequence[str], answered: Codes, right: Floats) -> dict[str, float]:
    """Label that was answered → mean probability of being right."""
    rows = np.bincount(answered, minlength=len(names))
    hits = np.bincount(answered, right, len(names))
    return {
        name: float(hits[at] / rows[at]) for at, name in sorted(enumerate(names), key=lambda each: each[1]) if rows[at]
    }
