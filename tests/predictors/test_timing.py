"""One text at a time, warm-up left out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from tailtune.core.records import Answer
from tailtune.predictors.timing import WARM_UP_ROWS, time_rows


class Slow:
    """Waits as long as a text says, in milliseconds; the first calls are slower."""

    def __init__(self, first_ms: float = 0.0) -> None:
        self.asked: list[list[str]] = []
        self._first_ms = first_ms

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        self.asked.append(list(texts))
        time.sleep((float(texts[0]) + (self._first_ms if len(self.asked) <= WARM_UP_ROWS else 0)) / 1000)
        return [Answer("x", 1.0)]


def test_each_text_is_asked_alone_after_a_warm_up() -> None:
    slow = Slow()
    texts = [str(i % 2) for i in range(8)]
    found = time_rows(slow, texts)
    assert slow.asked == [[text] for text in (*texts[:WARM_UP_ROWS], *texts)]
    assert found.rows == 8


def test_percentiles_are_those_of_the_texts_in_milliseconds() -> None:
    found = time_rows(Slow(first_ms=150), [*(["2"] * 19), "60"])
    assert 2 <= found.p50_ms < 40
    assert found.p99_ms * 1.3 >= 60
    assert found.p50_ms <= found.p95_ms <= found.p99_ms
    assert 4.9 <= found.mean_ms < 60, "the warm-up counts"


def test_percentiles_on_a_clock_that_tells_known_times(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = np.arange(1, 101, dtype=float)
    ticks = iter(np.column_stack([np.zeros(100), spent / 1000]).ravel().tolist())
    monkeypatch.setattr("tailtune.predictors.timing.time.perf_counter", lambda: next(ticks))
    found = time_rows(Slow(), ["0"] * 100)
    known = [round(float(q), 3) for q in np.percentile(spent, [50, 95, 99])]
    assert [found.p50_ms, found.p95_ms, found.p99_ms] == known
    assert found.mean_ms == pytest.approx(50.5)
