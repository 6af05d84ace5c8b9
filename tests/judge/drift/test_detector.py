"""Evidence over days, on counts whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tailtune.judge.drift.detector import REFERENCE_RISK, Detected, Nulls, detect, threshold

NIGHTS, RATE, TOLERANCE = 30, 0.05, 0.02


def detected(
    random: np.random.Generator, then: np.ndarray, now: np.ndarray, *, reference: int = 3000, rows: int = 500
) -> Detected:
    """A month of days with the shares `now`, against a reference drawn with the shares `then`."""
    hits = random.binomial(reference, then).astype(float)
    days = random.binomial(rows, now, size=(NIGHTS, now.size)).astype(float)
    return detect(nulls(hits, reference), days, np.full(days.shape, float(rows)), TOLERANCE)


def nulls(hits: np.ndarray, rows: float = 3000, limit: float = np.nan) -> Nulls:
    return Nulls(hits, *(np.full(hits.shape, each) for each in (float(rows), limit, REFERENCE_RISK * RATE)))


def moved(share: np.ndarray, by: float) -> np.ndarray:
    return np.sin(np.minimum(np.arcsin(np.sqrt(share)) + by, np.pi / 2)) ** 2


@pytest.mark.parametrize("share", [0.0, 0.0003, 0.002, 0.02, 0.3, 0.5, 0.9])
def test_shares_at_the_edge_of_the_tolerance_keep_the_rate(share: float) -> None:
    then = np.full(3000, share)
    found = detected(np.random.default_rng(3), then, moved(then, TOLERANCE))
    assert (found.capital.max(axis=0) >= threshold(RATE)).mean() <= RATE
    assert found.capital[-1].mean() <= NIGHTS


def test_a_small_reference_keeps_the_rate_too() -> None:
    then = np.full(3000, 0.1)
    found = detected(np.random.default_rng(4), then, moved(then, TOLERANCE), reference=60)
    assert (found.capital.max(axis=0) >= threshold(RATE)).mean() <= RATE


def test_shifts_over_the_tolerance_are_found_from_either_side_of_the_middle() -> None:
    then = np.array([0.02, 0.1, 0.5, 0.9])
    found = detected(np.random.default_rng(5), then, moved(then, 0.12))
    assert (found.capital.max(axis=0) >= threshold(RATE)).all()
    assert (found.onset <= 2).all()


def test_the_onset_is_the_day_of_the_shift() -> None:
    random = np.random.default_rng(6)
    hits = np.concatenate([random.binomial(500, 0.1, size=(12, 1)), random.binomial(500, 0.2, size=(9, 1))]) * 1.0
    found = detect(nulls(np.array([300.0])), hits, np.full(hits.shape, 500.0), TOLERANCE)
    assert abs(int(found.onset[0]) - 12) <= 1


def test_a_share_that_did_not_rise_has_no_evidence() -> None:
    hits = np.full((NIGHTS, 1), 40.0)
    found = detect(nulls(np.array([300.0])), hits, np.full(hits.shape, 500.0), TOLERANCE)
    assert found.capital[-1, 0] < 1
    assert found.onset[0] == -1


def test_a_limit_needs_no_reference_and_has_no_tolerance() -> None:
    random = np.random.default_rng(7)
    shares = np.array([0.01, 0.04])
    hits = random.binomial(1000, shares, size=(NIGHTS, 2)).astype(float)
    found = detect(nulls(np.zeros(2), np.inf, limit=0.01), hits, np.full(hits.shape, 1000.0), TOLERANCE)
    assert found.capital[:, 0].max() < threshold(RATE)
    assert found.capital[:, 1].max() > threshold(RATE)


def test_days_without_rows_change_nothing_and_millions_of_rows_stay_finite() -> None:
    hits = np.array([[0.0], [900_000.0], [0.0], [0.0]])
    rows = np.array([[0.0], [1_000_000.0], [0.0], [1_000_000.0]])
    with np.errstate(over="raise", invalid="raise"):
        found = detect(nulls(np.zeros(1)), hits, rows, TOLERANCE)
    assert np.isfinite(found.capital).all()
    assert found.capital[0, 0] == 0
    assert found.capital[1, 0] == found.capital[2, 0] > threshold(RATE)
    assert found.capital[3, 0] < found.capital[2, 0]


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5])
def test_a_rate_that_is_no_probability_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected above 0"):
        threshold(rate)


def test_looks_within_days_keep_the_rate_too() -> None:
    random, days, looks, rows = np.random.default_rng(8), 12, 6, 120
    then = np.full(1500, 0.2)
    hits = random.binomial(1500, then).astype(float)
    parts = random.binomial(rows // looks, moved(then, TOLERANCE), size=(days, looks, then.size))
    so_far, highest = np.cumsum(parts, axis=1).astype(float), np.zeros(then.size)
    for day in range(days):
        for look in range(looks):
            seen = np.concatenate([so_far[:day, -1], so_far[day : day + 1, look]])
            counted = np.full(seen.shape, float(rows))
            counted[-1] = rows // looks * (look + 1)
            found = detect(nulls(hits, 1500), seen, counted, TOLERANCE)
            highest = np.maximum(highest, found.capital[-1])
    for level in (threshold(RATE), threshold(1.0)):
        assert (highest >= level).mean() <= days / level / (1 - REFERENCE_RISK) + 0.01
