"""The accuracy of rows whose truth nobody knows, from the model's own probabilities. Pure.

    found = estimated_accuracy(Labelled(TopLabels.of(then), truth), TopLabels.of(now))  # of a classifier
    found = estimated_score(confidences_then, scores, confidences_now, fields)  # of an extractor
    found.accuracy  # an Estimate, or None with found.reason

Confidence-based performance estimation (CBPE; Kuckuck and NannyML 2022): the mean probability of being right over the
window's rows, after these steps:

1. **Recalibrated** on the version's reference, rows that are labelled and that it did not learn from: a curve from
   confidence to being right (`recalibration.py`); what the answer gains, the other labels of the row lose.
2. **Another mix of labels.** How often each label occurs in the window is estimated from the up to five likeliest
   labels of each row and the rest, by expectation-maximisation, and each row's probabilities are read again for that
   mix (Saerens, Latinne and Decaestecker 2002). It is drawn to the reference's mix as if five rows of that had been
   seen besides; a change counts for less where the reference has few rows of the label. The estimate is the mean of
   both readings: the first knows nothing of the mix, the second errs upward where a window is small, and their mean
   errs least over windows of all mixes and sizes that were tried (Bates and Granger 1969).
3. **The interval knows four chances**: which rows stood in the reference, how well these and the window tell the mix,
   how far the two readings lie apart (Buckland, Burnham and Augustin 1997), and which rows stood in the window or, if
   that is more, how many of these happen to be right.

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
_DRAWN = 5.0  # rows of the reference's mix that count besides
_FEW = 1.0  # rows that each label is given besides where two mixes are compared
_MOST_LABELS = 1_000  # up to which it is said how well the mix is known
_NONE = -1
_NEAR = 0.3, 0.15  # a version is calibrated on dev; what it says is where the curve begins


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
        accuracy: Expected share of right answers, or mean score of rows; None when it cannot be said.
        reason: Why it cannot be said; empty when it is.
        macro_f1: Expected macro F1, without interval; None when not estimated.
        right_by: Label that was answered → expected share of right ones among these; of an extractor, field → mean
            confidence.
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
    shares = np.bincount([place[str(each)] for each in kept.truth], minlength=len(names)) / kept.top.rows
    odds = log_odds(seen.confidence)
    curve = fitted(log_odds(kept.top.confidence), kept.right, spread=_NEAR)

    def read(by: Curve) -> tuple[_Posterior, Floats, Floats]:
        rows = _Posterior.of(seen, names, by.right(odds))
        mix = _mix(rows, shares)
        read_again = rows.answer(_ratio(mix, shares, kept.top.rows))
        return rows, mix, (rows.shares[:, 0] + read_again) / 2

    rows, mix, right = read(curve)
    pull = np.array([(read(other)[2].mean() - right.mean()) / step for other, step in curve.beside()])
    of_curve = max(
        curve.mean_variance(odds), float(pull @ curve.covariance @ pull)
    )  # the mix may make up for it by luck
    apart = float(right.mean() - rows.shares[:, 0].mean())  # the mean of two readings, from either
    doubt = of_curve + _doubt(rows, mix, shares, kept.top.rows) / 4 + apart**2
    return EstimatedAccuracy(
        accuracy=_estimate(right, doubt),
        macro_f1=_macro_f1(right, seen.coded(names)[:, 0], mix),
        right_by=_by_answer(seen.names, seen.codes[:, 0], right),
        mix={name: float(share) for name, share in zip(names, mix, strict=True)},
        rows=seen.rows,
        without=without,
    )


def estimated_score(
    reference: NDArray[np.floating], scores: NDArray[np.floating], window: NDArray[np.floating], fields: Sequence[str]
) -> EstimatedAccuracy:
    """The expected score of an extractor's rows without labels, from how sure it was of their fields.

    Args:
        reference: Confidence of each field's answer in labelled rows, NaN where there is none, shape (n, fields).
        scores: What each of these rows is worth by the task's own rule, such as its F1, 0 to 1, shape (n,).
        window: Confidences in the window's rows, shape (m, fields).
        fields: Their names, in the order of the columns.
    """
    known, measured = (_has_any(each) for each in (reference, window))
    seen, without = window[measured], int((~measured).sum())
    reason = _too_little(int(known.sum()), len(seen), len(window))
    if reason:
        return EstimatedAccuracy(None, reason, rows=len(seen), without=without)
    then, now = (log_odds(np.nanmean(each, axis=1)) for each in (reference[known], seen))
    worth = scores[known].astype(np.float64)
    curve = fitted(then, worth)  # confidences of fields are no probability of a row's score: the curve begins nowhere
    # Rows that are right in part lie nearer to their expectation than rows that are right or wrong.
    spread = float(((worth - curve.right(then)) ** 2).mean())
    return EstimatedAccuracy(
        accuracy=_estimate(curve.right(now), curve.mean_variance(now), spread),
        right_by={
            name: float(np.nanmean(seen[:, at])) for at, name in enumerate(fields) if _has_any(seen[:, [at]]).any()
        },
        rows=len(seen),
        without=without,
    )


def _has_any(confidences: NDArray[np.floating]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (~np.isnan(confidences)).any(axis=1)
    return result


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


@dataclass(frozen=True)
class _Posterior:
    """One per window: each row's likeliest labels with recalibrated probabilities.

    Attributes:
        places: Of the labels in the reference's names, shape (rows, k); 0 where there is none, with probability 0.
        shares: Probabilities, shape (rows, k); the answer's comes first.
        rest: What is left to all other labels, shape (rows,).
    """

    places: Codes
    shares: Floats
    rest: Floats

    @classmethod
    def of(cls, top: TopLabels, names: Sequence[str], right: Floats) -> _Posterior:
        """From a window's rows and the recalibrated probability of their answers."""
        shares, codes = top.probabilities.astype(np.float64), top.coded(names)
        others = np.maximum(np.maximum(1 - shares[:, 0], shares[:, 1:].sum(axis=1)), 1e-9)
        shares[:, 1:] *= ((1 - right) / others)[:, None]
        shares[:, 0] = right
        shares[:, 1:][codes[:, 1:] < 0] = 0.0  # of a label that the reference does not have nothing is known
        rest = 1 - shares.sum(axis=1)
        return cls(np.maximum(codes, 0), shares, np.clip(rest, 0.0, 1.0))

    def some(self) -> _Posterior:
        """Rows enough to tell a mix from, evenly over all."""
        step = max(1, -(-len(self.rest) // _MOST_MIXED))
        return _Posterior(self.places[::step], self.shares[::step], self.rest[::step])

    def by(self, ratio: Floats) -> tuple[Floats, Floats]:
        """The probabilities times how much more often labels stand here than in the reference, and each row's sum."""
        likely = self.shares * ratio[self.places]
        return likely, likely.sum(axis=1) + self.rest

    def answer(self, ratio: Floats) -> Floats:
        """Probability that each answer is right in that mix, shape (rows,)."""
        likely, total = self.by(ratio)
        right: Floats = likely[:, 0] / total
        return right


def _ratio(mix: Floats, shares: Floats, reference_rows: int) -> Floats:
    """How much more often each label stands in the window, drawn to 1 where the reference has few rows of it."""
    ratio: Floats = (mix * reference_rows + _FEW) / (shares * reference_rows + _FEW)
    return ratio


def _mix(rows: _Posterior, shares: Floats) -> Floats:
    """Each label's share of the window, by expectation-maximisation from the shares of the reference.

    What a row leaves to labels beyond its likeliest is dealt to all by their shares.
    """
    some = rows.some()
    count, labels, mix = len(some.rest), shares.size, shares
    for _ in range(_ROUNDS):
        likely, total = some.by(mix / shares)
        expected = np.bincount(some.places.ravel(), (likely / total[:, None]).ravel(), labels).astype(np.float64)
        expected += (some.rest / total).sum() * mix
        after = (expected + _DRAWN * shares) / (count + _DRAWN)
        moved, mix = float(np.abs(after - mix).sum()), after
        if moved < _STILL:
            break
    return mix


def _doubt(rows: _Posterior, mix: Floats, shares: Floats, reference_rows: int) -> float:
    """Variance of the mean probability that comes from not knowing either mix.

    That of the window by its observed information, that of the reference as shares of so many independent rows.
    """
    labels, ratio, rows = shares.size, mix / shares, rows.some()
    if labels > _MOST_LABELS:
        return 0.0
    _, total = rows.by(ratio)
    steep = rows.shares / shares[rows.places] / total[:, None]  # how much likelier a row is if a label is more frequent
    pairs = rows.places[:, :, None] * labels + rows.places[:, None, :]
    information = np.bincount(pairs.ravel(), (steep[:, :, None] * steep[:, None, :]).ravel(), labels**2)
    inverse = np.linalg.inv(information.reshape(labels, labels) + np.diag(_DRAWN * shares / mix**2))
    ones = inverse.sum(axis=1)
    covariance = inverse - np.outer(ones, ones) / ones.sum()  # shares add up to 1
    right = rows.shares[:, 0] * ratio[rows.places[:, 0]] / total
    pull = np.bincount(rows.places.ravel(), (-right[:, None] * steep).ravel(), labels).astype(np.float64)
    pull = (pull + np.bincount(rows.places[:, 0], steep[:, 0], labels)) / len(total)
    then = pull * ratio
    of_reference = float(then**2 @ shares - (then @ shares) ** 2) / reference_rows
    return max(0.0, float(pull @ covariance @ pull)) + max(0.0, of_reference)


def _estimate(right: Floats, doubt: float, spread: float | None = None) -> Estimate:
    """The mean with its interval.

    Args:
        right: Probability of being right, row by row, or expected score.
        doubt: Variance of their mean that the reference and the mix leave.
        spread: Variance of a row's own score around its expectation; that of right or wrong when None.
    """
    value = float(right.mean())
    own = float((right * (1 - right)).mean()) if spread is None else spread
    variance = doubt + max(own, float(right.var())) / right.size
    worth = max(1.0, value * (1 - value) / max(variance, 1e-12))
    low, high = score_ends(value, worth)
    return Estimate(value=value, low=low, high=high, rows=right.size, worth_rows=worth)


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
