"""Scores of rows, and calibration, by cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tailtune.judge.scores import Score, calibration, calibration_error


def test_a_row_of_one_item_scores_one_or_nothing() -> None:
    score = Score(np.array([True, False]), {}, None, 0.0, 0)
    assert score.outcomes.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert score.per_row.tolist() == [1, 0]


def test_calibration_error_of_a_case_worked_by_hand() -> None:
    confidence = np.array([0.9, 0.2, 0.8, 0.4])
    right = np.array([True, False, False, True])
    bins = calibration(confidence, right, 2)
    assert [(b.confidence, b.accuracy, b.rows) for b in bins] == [
        (pytest.approx(0.3), 0.5, 2),
        (pytest.approx(0.85), 0.5, 2),
    ]
    assert calibration_error(bins) == pytest.approx((2 * 0.2 + 2 * 0.35) / 4)


def test_bins_have_equal_mass_not_equal_width() -> None:
    bins = calibration(np.array([0.99] * 9 + [0.1]), np.ones(10, bool), 5)
    assert [b.rows for b in bins] == [2, 2, 2, 2, 2]
    uneven = calibration(np.linspace(0, 1, 7), np.ones(7, bool), 3)
    assert sorted(b.rows for b in uneven) == [2, 2, 3]
    assert [b.rows for b in calibration(np.array([0.3, 0.6]), np.ones(2, bool), 15)] == [1, 1]


def test_bins_of_unequal_size_weigh_by_rows() -> None:
    bins = calibration(np.array([0.0, 0.0, 1.0]), np.array([False, False, False]), 2)
    assert [b.rows for b in bins] == [2, 1]
    assert calibration_error(bins) == pytest.approx(1 / 3)


def test_perfectly_calibrated_answers_have_no_error() -> None:
    confidence = np.repeat([0.2, 0.5, 0.8], 10)
    right = np.array([i % 10 < 10 * c for i, c in enumerate(confidence)])
    assert calibration_error(calibration(confidence, right, 3)) == pytest.approx(0, abs=1e-12)


def test_a_missing_confidence_leaves_no_bins() -> None:
    assert calibration(np.array([0.5, np.nan]), np.ones(2, bool), 3) == ()


def test_no_rows_have_no_bins() -> None:
    assert calibration(np.array([]), np.array([], dtype=bool), 15) == ()
