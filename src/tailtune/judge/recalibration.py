"""How often an answer of some confidence is right: a logistic curve that is fitted to rows whose truth is known. Pure.

The curve has two numbers, an offset and a slope, so a few dozen rows are enough (Platt 1999; a slope below 1 says that
confidences are too extreme). Both are drawn to a beginning, as if a few more rows had been seen: without that, rows
that are all right would have no finite curve. Rows may have weights, and shares of right in place of right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CLOSE = 1e-4  # confidences nearer to 0 or 1 are taken to be so far away
_STEPS, _STILL = 60, 1e-9


def log_odds(confidence: NDArray[np.floating]) -> Floats:
    """Log odds of confidences, at most ±9.2; those that nobody measured get the mean of the others."""
    clipped = np.clip(confidence.astype(np.float64), _CLOSE, 1 - _CLOSE)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    missing = np.isnan(odds)
    if missing.any():
        odds[missing] = 0.0 if missing.all() else odds[~missing].mean()
    return odds


def logistic(odds: Floats) -> Floats:
    """The probability that log odds stand for."""
    from scipy.special import expit

    result: Floats = expit(odds)
    return result


@dataclass(frozen=True)
class Curve:
    """One per fit.

    Attributes:
        offset: Log odds of being right where those of the confidence are 0.
        slope: What is added to them with each unit of the confidence's log odds.
        covariance: Of both, from how far rows lie from the curve, shape (2, 2).
    """

    offset: float
    slope: float
    covariance: Floats

    def right(self, odds: Floats) -> Floats:
        """Probability of being right at log odds of confidences."""
        return logistic(self.offset + self.slope * odds)

    def beside(self) -> tuple[tuple[Curve, float], tuple[Curve, float]]:
        """Two curves nearby, and by how much their offset, or their slope, is larger: for derivatives."""
        steps = 0.1 * np.sqrt(np.diag(self.covariance))
        return (
            (replace(self, offset=self.offset + float(steps[0])), float(steps[0])),
            (replace(self, slope=self.slope + float(steps[1])), float(steps[1])),
        )

    def mean_variance(self, odds: Floats) -> float:
        """Variance of the mean probability over these rows that comes from not knowing the curve."""
        right = self.right(odds)
        steep = right * (1 - right)
        pull = np.array([steep.mean(), (steep * odds).mean()])
        return float(pull @ self.covariance @ pull)


def fitted(
    odds: Floats,
    right: Floats,
    weights: Floats | None = None,
    *,
    begin: tuple[float, float] = (0.0, 1.0),
    spread: tuple[float, float] = (3.0, 1.0),
) -> Curve:
    """The curve of these rows.

    Args:
        odds: Log odds of confidences, shape (m,).
        right: Whether right, or the share that is, 0 to 1, shape (m,).
        weights: How much each counts; alike when None.
        begin: Offset and slope that the fit is drawn to.
        spread: How far from there both may well lie: standard deviations.
    """
    weights = np.ones(odds.size) if weights is None else weights
    start, drawn = np.array(begin, dtype=np.float64), np.diag([1 / width**2 for width in spread])
    inputs = np.stack([np.ones(odds.size), odds], axis=1)

    def loss(at: Floats) -> float:
        line = inputs @ at
        return float(weights @ (np.logaddexp(0, line) - right * line) + (at - start) @ drawn @ (at - start) / 2)

    def curvature(at: Floats) -> Floats:
        probable = logistic(inputs @ at)
        steep: Floats = inputs.T @ (inputs * (weights * probable * (1 - probable))[:, None]) + drawn
        return steep

    def pulls(at: Floats) -> Floats:
        beside: Floats = inputs * (weights * (right - logistic(inputs @ at)))[:, None]
        return beside

    at = start
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature(at), pulls(at).sum(axis=0) - drawn @ (at - start))
        while loss(at + step) > loss(at) and float(np.abs(step).max()) > _STILL:
            step = step / 2  # where nearly all probabilities are 0 or 1, a whole step goes much too far
        at = at + step
        if float(np.abs(step).max()) < _STILL:
            break
    inverse, rows = np.linalg.inv(curvature(at)), pulls(at)
    # The beginning counts as an observation of its own, so that rows that are all right leave something unknown.
    return Curve(float(at[0]), float(at[1]), inverse @ (rows.T @ rows + drawn) @ inverse)


def offset_for(odds: Floats, slope: float, mean: float) -> float:
    """The offset with which the mean probability over these rows is `mean`, 0 to 1 without its ends."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if float(logistic(middle + slope * odds).mean()) > mean else (middle, high)
    return (low + high) / 2
