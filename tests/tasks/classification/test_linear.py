"""Weights for the whole label set, also where scikit-learn keeps fewer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from tailtune.predictors.base import softmax
from tailtune.tasks.classification.linear import fit_linear

RANDOM = np.random.default_rng(4)
FEATURES = RANDOM.standard_normal((60, 6)).astype(np.float32)


@pytest.mark.parametrize("present", [[0, 1], [1, 3], [0, 1, 2, 3], [3, 0, 2]])
def test_probabilities_are_scikit_learns_for_the_classes_present(present: list[int]) -> None:
    targets = np.array([present[i % len(present)] for i in range(60)])
    weights, intercepts = fit_linear(FEATURES, targets, 4, 1.0)
    assert (weights.shape, intercepts.shape, weights.dtype) == ((4, 6), (4,), np.float32)
    found = softmax(FEATURES @ weights.T + intercepts)
    known = LogisticRegression(C=1.0, max_iter=300, tol=1e-4).fit(FEATURES, targets).predict_proba(FEATURES)
    assert np.allclose(found[:, sorted(present)], known, atol=1e-3)
    absent = [j for j in range(4) if j not in present]
    assert (found[:, absent] < 1e-6).all()


def test_one_class_is_always_answered() -> None:
    weights, intercepts = fit_linear(FEATURES, np.full(60, 2), 4, 1.0)
    assert softmax(FEATURES @ weights.T + intercepts)[:, 2] == pytest.approx(1)


def test_sparse_features_give_the_same() -> None:
    targets = np.arange(60) % 3
    dense, sparse = fit_linear(FEATURES, targets, 3, 2.0), fit_linear(csr_matrix(FEATURES), targets, 3, 2.0)
    assert np.allclose(dense[0], sparse[0], atol=1e-2)


def test_softmax_of_large_scores_does_not_overflow() -> None:
    found = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
    assert found.tolist() == [[1, 0], [0.5, 0.5]]
