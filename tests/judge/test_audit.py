from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.judge.audit import POWER, audited, drawn, fall, gain, in_words, over_time
from tailtune.judge.recalibration import fitted, log_odds
from tailtune.judge.shares import share_of

Floats = NDArray[np.float64]
OWN = share_of(2760, 3000)  # 92 %


def window(random: np.random.Generator, rows: int, quality: float) -> tuple[Floats, Floats]:
    """Calibrated confidences with this mean, and their log odds."""
    odds = random.normal(0, 2.2, rows)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < quality else (low, middle)
    confidence: Floats = 1 / (1 + np.exp(-odds - low))
    return confidence, odds


def lots(random: np.random.Generator, rows: int) -> NDArray[np.uint64]:
    return random.integers(0, 2**64, rows, dtype=np.uint64)


def test_every_range_of_confidence_is_drawn_in_its_proportion_and_every_row_as_likely() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(1003)
    times = np.zeros(1003)
    for _ in range(300):
        rows = drawn(confidence, lots(random, 1003), 50)
        assert len({row.place for row in rows}) == 50
        assert sum(row.weight for row in rows) == pytest.approx(1003)
        assert {row.stratum for row in rows} == set(range(25))
        order = np.argsort(np.argsort(confidence))
        assert all(abs((order[row.place] + 0.5) / 1003 * 25 - row.stratum - 0.5) < 0.6 for row in rows)
        times[[row.place for row in rows]] += 1
    assert times.mean() == pytest.approx(300 * 50 / 1003)
    assert times.std() < 1.25 * math.sqrt(300 * 0.05 * 0.95)


def test_the_same_lots_draw_the_same_rows_and_a_small_window_is_drawn_whole() -> None:
    random = np.random.default_rng(1)
    confidence, luck = random.random(200), lots(random, 200)
    assert drawn(confidence, luck, 20) == drawn(confidence, luck, 20)
    assert {row.place for row in drawn(confidence[:7], luck[:7], 20)} == set(range(7))
    assert drawn(confidence[:0], luck[:0], 20) == []
    assert {row.place for row in drawn(np.full(9, np.nan), luck[:9], 3)} < set(range(9))


def test_a_beginning_of_the_drawn_rows_is_as_confident_as_all_of_them() -> None:
    random, firsts = np.random.default_rng(2), []
    confidence = np.linspace(0, 1, 1000)
    for _ in range(200):
        rows = drawn(confidence, lots(random, 1000), 40)
        firsts.append(np.mean([confidence[row.place] for row in rows[:10]]))
    assert np.mean(firsts) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("quality", [0.7, 0.9, 0.97])
@pytest.mark.parametrize("informative", [True, False])
def test_intervals_of_fifty_rows_have_the_truth(quality: float, informative: bool) -> None:
    random, inside, widths, runs = np.random.default_rng(3), 0, [], 200
    confidence, _ = window(random, 1000, quality)
    chances = confidence if informative else np.full(1000, quality)
    for _ in range(runs):
        places = [row.place for row in drawn(confidence, lots(random, 1000), 50)]
        right = random.random(50) < chances[places]
        found = audited(confidence, confidence[places], right.astype(float))
        inside += found.low <= chances.mean() <= found.high
        widths.append(found.high - found.low)
    assert 0.90 * runs <= inside <= 0.995 * runs
    if informative:  # narrower than without the confidences
        assert np.mean(widths) < 0.97 * np.mean([_wilson(quality) for _ in widths])


def _wilson(quality: float) -> float:
    return 2 * 1.96 * math.sqrt(quality * (1 - quality) / 50 + 1.96**2 / 4 / 2500) / (1 + 1.96**2 / 50)


def test_rows_that_are_all_right_still_leave_something_open() -> None:
    found = audited(np.full(500, 0.99), np.full(50, 0.99), np.ones(50))
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.9 < found.low < 0.95


def test_nothing_audited_is_not_measured() -> None:
    found = audited(np.full(5, 0.9), np.zeros(0), np.zeros(0))
    assert math.isnan(found.value)
    assert found.rows == 0


def test_confidences_that_nobody_measured_are_no_fault() -> None:
    random = np.random.default_rng(4)
    right = (random.random(50) < 0.9).astype(float)
    found = audited(np.full(300, np.nan), np.full(50, np.nan), right)
    assert found.value == pytest.approx(right.mean())
    assert found.worth_rows == pytest.approx(50, rel=0.05)


def test_rows_that_are_right_in_part_have_a_narrower_interval() -> None:
    random = np.random.default_rng(5)
    parts = random.binomial(20, 0.9, 50) / 20
    whole = (random.random(50) < 0.9).astype(float)
    narrow, wide = (audited(np.full(300, 0.9), np.full(50, 0.9), each) for each in (parts, whole))
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_a_large_fall_is_called_and_chance_is_not() -> None:
    random = np.random.default_rng(6)
    called = {0.0: 0, 0.15: 0}
    confidence, _ = window(random, 1000, 0.92)
    curve = fitted(log_odds(confidence), (random.random(1000) < confidence).astype(float))
    gained = gain(curve, confidence, 0.9)
    assert 1.2 < gained < 2.0
    for size in called:
        for _ in range(200):
            places = [row.place for row in drawn(confidence, lots(random, 1000), 50)]
            right = random.random(50) < confidence[places] * (1 - size / 0.92)
            found = audited(confidence, confidence[places], right.astype(float))
            called[size] += fall(found, OWN, 0.02, gained).decision.yes
    assert called[0.15] >= 0.82 * 200
    assert called[0.0] <= 0.05 * 200


def test_smaller_falls_need_more_rows_and_that_many_see_them() -> None:
    random = np.random.default_rng(7)
    confidence, _ = window(random, 4000, 0.92)
    places = [row.place for row in drawn(confidence, lots(random, 4000), 50)]
    first = audited(confidence, confidence[places], (random.random(50) < confidence[places]).astype(float))
    found = fall(first, OWN, 0.02)
    needed = found.rows_for[0.05]
    assert needed is not None
    assert 150 < needed < 1500
    assert found.visible is not None and 0.08 < found.visible < 0.2
    called, runs = 0, 100
    for _ in range(runs):
        places = [row.place for row in drawn(confidence, lots(random, 4000), needed)]
        right = random.random(needed) < confidence[places] * (1 - 0.05 / 0.92)
        called += fall(audited(confidence, confidence[places], right.astype(float)), OWN, 0.02).decision.yes
    assert called >= (POWER - 0.08) * runs
    assert f"{needed:,} rows for 5 points" in " ".join(in_words(found, 50))


def test_no_number_of_rows_shows_what_the_versions_own_accuracy_leaves_open() -> None:
    found = fall(audited(np.full(90, 0.9), np.full(50, 0.9), np.ones(50)), share_of(55, 60), 0.02)
    assert found.rows_for[0.03] is None
    assert "no number of rows" in " ".join(in_words(found, 50))


def test_the_reason_names_both_sides() -> None:
    found = fall(Estimate(value=0.7, low=0.6, high=0.8, rows=100, worth_rows=110), OWN, 0.02)
    assert found.decision.yes
    assert found.p < 0.001
    assert "fell by more than 2.0 points" in found.decision.reason
    assert "100 audited rows" in found.decision.reason
    assert "3,000 held-out rows" in found.decision.reason


def test_over_all_audits_the_interval_holds_at_every_look() -> None:
    random, wrong = np.random.default_rng(8), 0
    for _ in range(40):
        looks: list[Floats] = []
        for _ in range(12):
            looks.append((random.random(50) < 0.9).astype(float))
            found = over_time(looks)
            if not found.low <= 0.9 <= found.high:
                wrong += 1
                break
    assert wrong <= 4
    assert math.isnan(over_time([]).value)


@pytest.mark.parametrize("own", [share_of(30, 1000), share_of(0, 1000), share_of(50, 1000)])
def test_what_is_not_above_the_margin_cannot_fall_by_it(own: Estimate) -> None:
    found = fall(share_of(1, 20), own, margin=0.05)
    assert not found.decision.yes and found.p == 1.0
    assert found.visible is None and in_words(found, 20) == ["so few rows show no fall"]
