"""Linear heads over a label set, in bounded memory: what a head may weigh, and the two ways to fit one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.errors import TooLargeError
from tailtune.predictors.base import Floats, softmax

MAX_WEIGHTS = 2**26
"""Labels × features of a head at most: 256 MB as float32."""
LEAST_FEATURES = 256
"""A head over fewer words says nothing about TF-IDF; with more labels than this allows it is not measured."""
EXACT_BYTES = 5 * 2**29
"""What scikit-learn may take to fit a head (2.5 GiB); beyond, rows are taken in batches."""
_BYTES_PER_WEIGHT, _BYTES_PER_SCORE = 210, 12  # L-BFGS keeps ten pairs of float64 steps; a score is kept for each label
_PASSES, _DENSE_PASSES, _RATE = 5, 10, 3.0  # more passes do words no good; embeddings have few weights, and gain
_BATCH_SCORES = 2**21  # scores of a batch at once, 8 MB
_BLOCK_WEIGHTS = 2**19  # weights that change at once, 2 MB: they stay in the processor's cache
_NO_ROWS = -30.0  # intercept of a class without rows


def feature_limit(classes: int) -> int:
    """Features that a head over so many classes may have.

    Raises:
        TooLargeError: Too few to measure anything.
    """
    limit = MAX_WEIGHTS // classes
    if limit < LEAST_FEATURES:
        raise TooLargeError(
            f"{classes:,} labels leave room for {limit} features each; at least {LEAST_FEATURES} are needed "
            f"(labels × features are kept under {MAX_WEIGHTS:,}, so that memory is bounded)"
        )
    return limit


def fit_linear(features: Any, targets: NDArray[np.int64], classes: int, strength: float) -> tuple[Floats, Floats]:
    """Weights and intercepts for every class of the label set.

    Args:
        features: Dense or sparse, shape (n, d).
        targets: Class positions, shape (n,).
        classes: Size of the label set; a class without rows gets an intercept of −30.
        strength: Inverse regularisation C, where memory allows the exact fit; fitting in batches stops early instead.

    Returns:
        Weights (classes, d) and intercepts (classes,), float32.

    Raises:
        TooLargeError: Labels × features are more than a head may have.
    """
    from threadpoolctl import threadpool_limits

    if features.shape[1] > feature_limit(classes):
        raise TooLargeError(
            f"{classes:,} labels × {features.shape[1]:,} features are more than {MAX_WEIGHTS:,} weights, "
            "the most that a head is fitted with, so that memory is bounded"
        )
    present, owners = np.unique(targets, return_inverse=True)
    weights = np.zeros((classes, features.shape[1]), dtype=np.float32)
    intercepts = np.full(classes, _NO_ROWS, dtype=np.float32)
    if present.size == 1:
        intercepts[present] = 0.0
        return weights, intercepts
    # Many small products: BLAS threads that wait for each other cost ten times the work on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        if present.size * (features.shape[1] * _BYTES_PER_WEIGHT + len(targets) * _BYTES_PER_SCORE) <= EXACT_BYTES:
            weights[present], intercepts[present] = _exact(features, targets, strength)
        else:
            weights[present], intercepts[present] = _scaled(features, owners, present.size)
    return weights, intercepts


def _exact(features: Any, targets: NDArray[np.int64], strength: float) -> tuple[Any, Any]:
    """scikit-learn's multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=300, tol=1e-4).fit(features, targets)
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([-model.coef_[0], model.coef_[0]]) / 2
        return coefficients, np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    return model.coef_, model.intercept_


def _scaled(features: Any, targets: NDArray[np.int64], classes: int) -> tuple[Floats, Floats]:
    """`_in_batches`, on dense features around their mean: embeddings of rows that look alike differ by little else."""
    from scipy.sparse import issparse

    if issparse(features):
        return _in_batches(features, targets, classes, _PASSES)
    mean = features.mean(axis=0)
    around = features - mean
    scale = np.float32(max(float(np.linalg.norm(around, axis=1).mean()), 1e-6))
    weights, intercepts = _in_batches(around / scale, targets, classes, _DENSE_PASSES)
    weights /= scale
    return weights, intercepts - weights @ mean


def _in_batches(features: Any, targets: NDArray[np.int64], classes: int, passes: int) -> tuple[Floats, Floats]:
    """Multinomial logistic regression by AdaGrad with one falling rate a feature, a few passes over batches of rows.

    Memory is one array of weights, the scores of a batch and the gradient of a few features at a time, whatever the
    number of rows. It ends before it has converged, which does what regularisation does for the exact fit.
    """
    rows, width = features.shape
    weights, intercepts = np.zeros((width, classes), dtype=np.float32), np.zeros(classes, dtype=np.float32)
    seen, seen_all = np.full(width, 1e-8, dtype=np.float32), 1e-8  # squared gradients so far
    size, block_size = max(16, min(256, _BATCH_SCORES // classes)), max(1, _BLOCK_WEIGHTS // classes)
    random, steps, step = np.random.default_rng(17), passes * -(-rows // size), 0
    for order in (random.permutation(rows) for _ in range(passes)):
        for start in range(0, rows, size):
            batch = order[start : start + size]
            chosen = features[batch]
            errors = softmax(chosen @ weights + intercepts)
            errors[np.arange(len(batch)), targets[batch]] -= 1
            values, columns = _touched(chosen)
            of_all = errors.sum(axis=0)
            seen[columns] += _squared_gradients(values, errors)
            seen_all += float(of_all @ of_all)
            rate = np.float32(_RATE * (1 - step / steps))
            turned, rates = values.T, rate / np.sqrt(seen[columns])
            for block in (slice(at, at + block_size) for at in range(0, len(columns), block_size)):
                weights[columns[block]] -= turned[block] @ errors * rates[block, None]
            intercepts -= rate / np.float32(seen_all) ** np.float32(0.5) * of_all
            step += 1
    return weights.T, intercepts


def _squared_gradients(values: Any, errors: Floats) -> NDArray[np.float32]:
    """Of each feature, the sum of its squared gradients over all classes: without an array of features × classes."""
    weighted = errors @ errors.T @ values
    product = values.multiply(weighted) if hasattr(values, "multiply") else values * weighted
    squared: NDArray[np.float32] = np.maximum(np.asarray(product.sum(axis=0)).ravel(), 0)
    return squared


def _touched(batch: Any) -> tuple[Any, NDArray[np.int64]]:
    """The features of a batch that are not 0 everywhere, and which ones these are."""
    from scipy.sparse import csr_matrix, issparse

    if not issparse(batch):
        return batch, np.arange(batch.shape[1])
    columns, places = np.unique(batch.indices, return_inverse=True)
    return csr_matrix((batch.data, places, batch.indptr), shape=(batch.shape[0], len(columns))), columns
