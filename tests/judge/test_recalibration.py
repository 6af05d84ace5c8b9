from __future__ import annotations

import numpy as np
import pytest

from tailtune.judge.recalibration import fitted, log_odds, logistic, offset_for

RANDOM = np.random.default_rng(0)


def test_log_odds_are_finite_and_unmeasured_ones_are_the_mean_of_the_others() -> None:
    odds = log_odds(np.array([0.0, 1.0, 0.5, np.nan]))
    assert np.isfinite(odds).all()
    assert odds[3] == pytest.approx(odds[:3].mean())
    assert (log_odds(np.array([np.nan, np.nan])) == 0).all()


def test_the_curve_finds_confidences_that_are_too_extreme() -> None:
    odds = RANDOM.normal(1.0, 2.0, 20_000)
    right = RANDOM.random(odds.size) < logistic(0.4 + 0.5 * odds)
    curve = fitted(odds, right.astype(float))
    assert (curve.offset, curve.slope) == pytest.approx((0.4, 0.5), abs=0.05)


def test_the_mean_of_the_curve_is_as_uncertain_as_it_really_is() -> None:
    odds = RANDOM.normal(2.0, 1.5, 400)
    means, variances = [], []
    for _ in range(300):
        right = RANDOM.random(odds.size) < logistic(odds)
        curve = fitted(odds, right.astype(float))
        means.append(curve.right(odds).mean())
        variances.append(curve.mean_variance(odds))
    assert np.sqrt(np.mean(variances)) == pytest.approx(np.std(means), rel=0.15)


def test_rows_that_are_all_right_have_a_finite_curve_that_knows_it_is_not_sure() -> None:
    odds = np.full(200, 3.0)
    curve = fitted(odds, np.ones(200))
    assert 0.99 < curve.right(odds)[0] < 1
    assert curve.mean_variance(odds) > 1e-7


def test_weights_count_as_rows_do() -> None:
    odds, right = RANDOM.normal(1.0, 2.0, 50), (RANDOM.random(50) < 0.8).astype(float)
    twice = fitted(np.concatenate([odds, odds]), np.concatenate([right, right]))
    assert fitted(odds, right, np.full(50, 2.0)).slope == pytest.approx(twice.slope)


@pytest.mark.parametrize("mean", [0.01, 0.5, 0.97])
def test_an_offset_gives_the_mean_that_is_asked_of_it(mean: float) -> None:
    odds = RANDOM.normal(0.0, 3.0, 100)
    assert logistic(offset_for(odds, 0.7, mean) + 0.7 * odds).mean() == pytest.approx(mean, abs=1e-9)


def test_confidences_that_are_nearly_certain_and_often_wrong_have_a_curve() -> None:
    odds = np.repeat([8.0, 9.0], 500)
    curve = fitted(odds, np.tile([1.0, 1.0, 0.0, 1.0], 250))
    assert curve.right(odds).mean() == pytest.approx(0.75, abs=0.02)
