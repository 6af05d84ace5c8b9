"""Naive Bayes over features, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tailtune.predictors.base import softmax
from tailtune.tasks.extraction.rungs import naive_bayes
from tailtune.tasks.extraction.rungs.naive_bayes import Odds

ITEMS = [(["left:to", "size:1"], 1)] * 3 + [(["left:of", "size:1"], 0)] * 5 + [(["left:to", "once"], 0)]


def test_weights_are_smoothed_log_shares() -> None:
    """`left:to` stands in 3 of 3 items of class 1 and in 1 of 6 of class 0."""
    known = Odds.learn(ITEMS, classes=2)
    weights = known.weights[known.features["left:to"]]
    smooth = naive_bayes._FEATURE_SMOOTHING
    assert np.exp(weights) == pytest.approx([(1 + smooth) / (6 + 2 * smooth), (3 + smooth) / (3 + 2 * smooth)])
    assert np.exp(known.prior) == pytest.approx([6 / 9, 3 / 9])


def test_a_feature_seen_once_is_not_kept() -> None:
    assert set(Odds.learn(ITEMS, classes=2).features) == {"left:to", "left:of", "size:1"}


def test_probabilities_follow_the_features_and_unknown_ones_say_nothing() -> None:
    known = Odds.learn(ITEMS, classes=3)
    found = known.probabilities([["left:to", "size:1"], ["left:of"], ["never seen"], []])
    assert found.shape == (4, 3)
    assert found.sum(axis=1) == pytest.approx([1] * 4)
    assert found.argmax(axis=1).tolist() == [1, 0, 0, 0]
    assert found[2] == pytest.approx([6 / 9, 3 / 9, 0])
    assert found[3] == pytest.approx(found[2])
    assert found[0, 2] == 0, "a class without examples"


def test_without_any_example_every_class_is_as_likely() -> None:
    known = Odds.learn([], classes=2)
    assert known.probabilities([["x"]]) == pytest.approx(np.array([[0.5, 0.5]]))


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([1000.0, 1000.0])) == pytest.approx([0.5, 0.5])
