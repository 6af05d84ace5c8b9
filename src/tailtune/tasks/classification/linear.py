"""Multinomial logistic regression by scikit-learn, over the whole label set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats


def fit_linear(features: Any, targets: NDArray[np.int64], classes: int, strength: float) -> tuple[Floats, Floats]:
    """Weights and intercepts for every class of the label set.

    Args:
        features: Dense or sparse, shape (n, d).
        targets: Class positions, shape (n,).
        classes: Size of the label set; a class without rows gets an intercept of −30.
        strength: Inverse regularisation C.

    Returns:
        Weights (classes, d) and intercepts (classes,), float32.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    present = np.unique(targets)
    weights = np.zeros((classes, features.shape[1]), dtype=np.float32)
    intercepts = np.full(classes, -30.0, dtype=np.float32)
    if present.size == 1:
        intercepts[present] = 0.0
        return weights, intercepts
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-4)
    # Many small products: BLAS threads that wait for each other cost ten times the work on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        model.fit(features, targets)
    if present.size == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([-model.coef_[0], model.coef_[0]]) / 2
        offsets = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coefficients, offsets = model.coef_, model.intercept_
    weights[present], intercepts[present] = coefficients, offsets
    return weights, intercepts
