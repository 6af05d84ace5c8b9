"""One number that makes the probabilities honest: the softmax temperature (Guo et al. 2017, On Calibration)."""

import math

from torch import Tensor
from torch.nn import functional

_LOW, _HIGH = math.log(0.05), math.log(20.0)
_ROUNDS = 40


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

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(logits / math.exp(log_temperature), labels))

    low, high, ratio = _LOW, _HIGH, (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_ROUNDS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)
