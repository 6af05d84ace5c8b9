"""Numbers that make probabilities honest: the softmax temperature (Guo et al. 2017, On Calibration), and a power."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.base import Floats

_LOW, _HIGH = math.log(0.05), math.log(20.0)
_ROUNDS = 40
_ALMOST = 1e-6


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the temperature of least cross-entropy by golden-section search over its logarithm.

    The loss is unimodal in log T, so the search is exact to 1e-6 and needs no optimiser.

    Args:
        logits: (n, classes) float32 on rows the model was not trained on.
        labels: (n,) int64.

    Returns:
        T between 0.05 and 20; 1.0 when there are no rows.
    """
    if len(labels) == 0:
        return 1.0
    return _least(lambda temperature: float(functional.cross_entropy(logits / temperature, labels)))


def fit_power(confidences: Floats, right: Floats) -> float:
    """Find the power of confidences that says best how often the answers are right, by their log-likelihood.

    One right and one wrong answer of mean confidence are added: a dev set without faults promises no perfection.

    Args:
        confidences: (n,) 0 to 1.
        right: (n,) 1 where the answer is right, else 0.

    Returns:
        A power between 0.05 and 20; 1.0 when there are no answers.
    """
    if len(right) == 0:
        return 1.0
    mean = float(confidences.mean())
    logs = np.log(np.append(confidences, [mean, mean]).astype(np.float64).clip(_ALMOST, 1 - _ALMOST))
    counted = np.append(right, [1, 0])

    def loss(power: float) -> float:
        wrong = np.log1p(-np.exp(power * logs))
        return float(-np.where(counted > 0, power * logs, wrong).mean())

    return _least(loss)


def _least(loss: Callable[[float], float]) -> float:
    """Where a loss that is unimodal over the logarithm of its argument is least, between 0.05 and 20."""
    low, high, ratio = _LOW, _HIGH, (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    for _ in range(_ROUNDS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)
