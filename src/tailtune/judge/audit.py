"""An audit: a few rows of a window, drawn at random and labelled by a person, say how often the model is right. Pure.

**Drawing** (`drawn`). Rows stand in the order of their confidence, cut into strata of equal size, half as many as the
rows to draw; from each stratum two rows are drawn at random. So each row of the window has the same chance, and the
drawn ones are a fair sample of it, with every range of confidence in its proportion: they may be used as test rows as
they are. Rows without a confidence come first.

**Estimating** (`audited`). Stratified prediction-powered inference (Angelopoulos et al. 2023; tuned as in PPI++, 2024;
strata as in Fisch et al. 2024): the mean prediction over the whole window, plus the mean of right − prediction over
the audited rows. The prediction is a curve from confidence to being right, fitted to the audited rows and drawn to
little slope: where confidences say nothing it is flat, and what is left is the share of right rows (in surveys, the
model-assisted estimator of Firth and Bennett 1998). Normal intervals of such an estimate fail where nearly every row is
right: of 50 rows at 97 % they have the truth in three cases of four. So what is kept is the number of independent rows
that the audit is worth, more than its rows where confidences explain part of what is right, and the interval is
Wilson's for so many.

**Deciding** (`fall`). Whether accuracy lies below the version's own by more than a margin: a one-sided binomial test
at 5 % (mid-p) for the rows that an audit is worth as long as nothing fell, the uncertainty of the version's own
accuracy taken into it.

**Over time** (`over_time`). Audits of one version are looks at one question; the interval over all their rows holds at
every look, however many there are (`judge/sequential.py`).

`benchmarks/accuracy_estimates.py` measures coverage, false alarms and power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tailtune.core.audits import Fall
from tailtune.core.figures import counted, points, share, two_digits, with_interval
from tailtune.core.records import Decision, Estimate
from tailtune.judge.recalibration import Curve, Floats, fitted, log_odds, logistic, offset_for
from tailtune.judge.sequential import quality_sequence
from tailtune.judge.stats import Z95, score_ends

ERROR = 0.05
"""Probability of calling a fall that is not there, one-sided."""
POWER = 0.85
"""Probability with which a fall that counts as visible is seen."""
FALLS = (0.15, 0.10, 0.05, 0.03)
"""Falls for which an audit says how many rows would see them."""
_PER_STRATUM = 2
_MOST_ROWS = 100_000
_LITTLE, _WIDE = (0.0, 0.5), (10.0, 1.0)  # the curve's beginning, in standard deviations of the log odds


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """One per row that a person is to label.

    Attributes:
        place: In the window.
        stratum: Counted from 0, the least confident first.
        weight: Rows of the window that it stands for.
    """

    place: int
    stratum: int
    weight: float


def drawn(confidence: NDArray[np.floating], lots: NDArray[np.uint64], rows: int) -> list[DrawnRow]:
    """Rows of a window, at random within strata by confidence, in random order: any beginning is a fair sample too.

    Args:
        confidence: Of every row of the window, NaN where there is none, shape (n,).
        lots: A random number for every row; equal ones draw the same rows.
        rows: How many to draw; all where there are no more.
    """
    total = confidence.size
    rows = min(rows, total)
    if not rows:
        return []
    order = np.lexsort((lots, np.nan_to_num(confidence, nan=-1.0)))
    strata = max(1, rows // _PER_STRATUM)
    sizes = [part.size for part in np.array_split(np.arange(rows), strata)]
    ends = np.round(np.cumsum([0, *sizes]) * total / rows).astype(int)
    made: list[DrawnRow] = []
    for stratum, size in enumerate(sizes):
        members = order[ends[stratum] : ends[stratum + 1]]
        chosen = members[np.argsort(lots[members], kind="stable")[:size]]
        made += [DrawnRow(int(place), stratum, members.size / size) for place in chosen]
    # Within a stratum the lowest lots were drawn: what orders the file must not be the lot itself.
    return sorted(made, key=lambda row: int(lots[row.place]) * 0x9E3779B97F4A7C15 % 2**64)


def audited(
    window: NDArray[np.floating],
    confidence: NDArray[np.floating],
    right: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> Estimate:
    """The share of right rows in a window, from those of its rows that were audited.

    Args:
        window: Confidence of every row of the window, NaN where there is none, shape (n,).
        confidence: Of the audited rows, shape (m,).
        right: Whether each is right, or the share of it that is, 0 to 1, shape (m,).
        weights: Rows of the window that each stands for; alike when None.

    Returns:
        Estimate; all NaN without audited rows. `worth_rows` are the independent rows that it is worth.
    """
    rows = right.size
    if not rows:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    shares = np.ones(rows) if weights is None else weights.astype(np.float64)
    shares = shares / shares.sum()
    everyone, own = log_odds(window), log_odds(confidence)
    if np.isnan(confidence).any() and not np.isnan(window).all():
        own[np.isnan(confidence)] = everyone[np.isnan(window)][0] if np.isnan(window).any() else everyone.mean()
    spread = float(everyone.std())
    spread = spread if spread > 1e-6 else 1.0
    everyone, own = everyone / spread, own / spread
    of_rows = right.astype(np.float64)
    mean = 1.0 if of_rows.min() == 1 else float(of_rows @ shares)  # exactly, whatever the weights round to
    slope = max(0.0, fitted(own, of_rows, shares * rows, begin=_LITTLE, spread=_WIDE).slope)
    inside = min(max(mean, 0.5 / rows), 1 - 0.5 / rows)
    offset = offset_for(everyone, slope, inside)
    predicted, of_own = logistic(offset + slope * everyone), logistic(offset + slope * own)
    value = float(predicted.mean()) + float((of_rows - of_own) @ shares)
    # Where some rows are wrong it is not 1, and where none are, nothing shows what confidences say.
    value = mean if mean in (0.0, 1.0) else min(max(value, mean / 2), (1 + mean) / 2)
    unexplained = min(1.0, float((predicted * (1 - predicted)).mean()) / (inside * (1 - inside)))
    worth = max(1.0, 1 / float(shares @ shares) / unexplained / _dispersion(of_rows, of_own))
    low, high = score_ends(value, worth)
    return Estimate(value=value, low=low, high=high, rows=rows, worth_rows=worth)


def _dispersion(right: Floats, predicted: Floats) -> float:
    """How much less rows differ that are right in part than rows that are right or wrong; 1 for the latter.

    Few rows do not know it well: it is widened by Student's t.
    """
    rows = right.size
    if rows < 3 or np.isin(right, (0.0, 1.0)).all():
        return 1.0
    from scipy.stats import t

    expected = float((predicted * (1 - predicted)).sum())
    found = float(((right - predicted) ** 2).sum()) / max(expected, 1e-12) * rows / (rows - 1)
    return min(1.0, max(found, 1 / rows) * (float(t.ppf(0.975, rows - 1)) / Z95) ** 2)


def gain(curve: Curve, window: NDArray[np.floating], mean: float) -> float:
    """Independent rows that an audited row is worth where confidences mean what they did; 1 where they say nothing.

    Args:
        curve: From confidence to being right, on the version's reference.
        window: Confidence of every row of the window, NaN where there is none.
        mean: Share of right rows, 0 to 1 without its ends.
    """
    odds, slope = log_odds(window), max(0.0, curve.slope)
    right = logistic(offset_for(odds, slope, mean) + slope * odds)
    return mean * (1 - mean) / float((right * (1 - right)).mean())


def fall(accuracy: Estimate, own: Estimate, margin: float, gained: float = 1.0, falls: Sequence[float] = FALLS) -> Fall:
    """Whether accuracy lies below the version's own by more than a margin; it cannot where the margin is all of it.

    Args:
        accuracy: By an audit.
        own: The version's, measured on its test rows.
        margin: What does not matter, 0 to 1.
        gained: Independent rows that an audited row is worth if nothing fell (`gain`): what is tested is that.
        falls: Falls for which rows are wanted.
    """
    least = own.value - margin
    if least <= 0:  # there is no such fall
        decision = Decision(yes=False, reason=_reason(accuracy, own, margin, yes=False))
        return Fall(decision=decision, p=1.0, visible=None, rows_for={})
    test = _Test(own, margin, max(gained, (accuracy.worth_rows or accuracy.rows) / max(1, accuracy.rows)))
    worth = test.worth(accuracy.rows)
    p = _as_few(accuracy.value * worth, worth, least)
    yes = p <= ERROR
    visible = _smallest(lambda at: test.power(accuracy.rows, at) >= POWER, margin, least)
    rows_for = {each: test.rows(each) for each in falls if margin < each < own.value}
    return Fall(
        decision=Decision(yes=yes, reason=_reason(accuracy, own, margin, yes)), p=p, visible=visible, rows_for=rows_for
    )


def _as_few(hits: float, rows: float, share: float) -> float:
    """Probability of fewer hits, and half of that of as many (Lancaster 1961, mid-p); counts need not be whole."""
    from scipy.special import betainc

    if hits <= 1e-9 or share >= 1:
        return 0.0 if share >= 1 and hits < rows else float((1 - share) ** rows) / 2
    at_most = 1.0 if hits >= rows - 1e-9 else float(betainc(rows - hits, hits + 1, 1 - share))
    return (at_most + float(betainc(rows - hits + 1, hits, 1 - share))) / 2


def _reason(accuracy: Estimate, own: Estimate, margin: float, yes: bool) -> str:
    against = (
        f"{with_interval(accuracy)} of {counted(accuracy.rows, 'audited row')} against {with_interval(own)} on the "
        f"version's own {counted(own.rows, 'held-out row')}"
    )
    allowed = f"{margin * 100:.1f} points (monitor.accuracy_fall)"
    if yes:
        return f"accuracy fell by more than {allowed}: {against}"
    return f"not shown that accuracy fell by more than {allowed}: {against}"


@dataclass(frozen=True)
class _Test:
    """One per version: the one-sided test, and what it sees.

    Attributes:
        own: The version's own accuracy.
        margin: What does not matter.
        gain: Independent rows that an audited row is worth.
    """

    own: Estimate
    margin: float
    gain: float

    @property
    def least(self) -> float:
        """Accuracy from which nothing fell by more than the margin."""
        return self.own.value - self.margin

    @property
    def unknown(self) -> float:
        """Variance of the version's own accuracy."""
        return self.own.value * (1 - self.own.value) / (self.own.worth_rows or max(1, self.own.rows))

    def worth(self, rows: int) -> float:
        """Independent rows that an audit is worth against an accuracy that is itself uncertain."""
        usual = self.least * (1 - self.least)
        return usual / (usual / max(1.0, rows * self.gain) + self.unknown) if usual > 0 else float(max(1, rows))

    def power(self, rows: int, size: float) -> float:
        """Probability of seeing a fall of this size, by the normal distribution."""
        after = self.own.value - size
        if after <= 0 or not rows:
            return 1.0 if rows else 0.0
        worth = self.worth(rows)
        reach = NormalDist().inv_cdf(1 - ERROR) * math.sqrt(self.least * (1 - self.least) / worth)
        # Of rows that fell, confidences may explain nothing.
        scatter = math.sqrt(after * (1 - after) / rows + self.unknown)
        return NormalDist().cdf((size - self.margin - reach) / scatter)

    def rows(self, size: float) -> int | None:
        """Rows that see a fall of this size, two digits; None where no number does."""
        if self.power(_MOST_ROWS, size) < POWER:
            return None
        low, high = 1, _MOST_ROWS
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(middle, size) >= POWER else (middle + 1, high)
        return int(two_digits(low, math.ceil, least=1.0))


def _smallest(seen: Callable[[float], bool], low: float, high: float) -> float | None:
    """The smallest fall that is seen, to a thousandth; None where none is."""
    if not seen(high):
        return None
    while high - low > 0.0005:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return math.ceil(high * 1000) / 1000


def over_time(right: Sequence[NDArray[np.floating]]) -> Estimate:
    """Accuracy over all audits of a version, oldest first, with an interval that holds at every audit at once.

    It speaks of an accuracy that stayed the same; where it lies below an audit's own, accuracy fell in between.

    Args:
        right: Of each audit, whether each row is right; rows that are right in part count with that share.
    """
    values = np.concatenate([np.asarray(each, dtype=np.float64) for each in right]) if right else np.zeros(0)
    parts = np.round(values * 100).astype(np.int64)
    return quality_sequence(np.stack([parts, 100 - parts, 100 - parts], axis=1), 100, ERROR)


def in_words(found: Fall, rows: int) -> list[str]:
    """What an audit of so many rows sees, and how many a smaller fall needs, a sentence each."""
    sees = "" if found.visible is None else f"a fall of {points(-found.visible).lstrip('−+')} points or more"
    lines = [
        f"so many rows would show {sees}, in {share(POWER)} of cases" if found.visible else "so few rows show no fall"
    ]
    falls = sorted(found.rows_for.items(), reverse=True)
    more = [
        f"{counted(needed, 'row')} for {size * 100:.0f} points" for size, needed in falls if needed and needed > rows
    ]
    if more:
        lines.append(f"a smaller fall takes more: about {', '.join(more)}")
    unseen = [f"{size * 100:.0f}" for size, needed in falls if needed is None]
    if unseen:
        lines.append(
            f"a fall of {' or '.join(unseen)} points is seen by no number of rows, since the version's own accuracy is "
            "not known so well: that takes more test rows"
        )
    return lines
