"""Latency of a predictor, one row at a time, and where in it the time goes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Latency
from tailtune.predictors.base import Predictor

WARM_UP_ROWS = 5

Part = Literal["tokenise", "infer", "decode"]
PARTS: tuple[Part, ...] = ("tokenise", "infer", "decode")


class _Stopwatch:
    """Always charges exactly one part, so that the parts add up to the whole."""

    __slots__ = ("_current", "_since", "spent_s")

    def __init__(self) -> None:
        self.spent_s: dict[Part, float] = dict.fromkeys(PARTS, 0.0)
        self._current: Part = "decode"
        self._since = time.perf_counter()

    def turn_to(self, name: Part) -> Part:
        """Charge what passed to the part that ran; from now on charge `name`. Returns the part that ran."""
        before = self._current
        self.stop()
        self._current = name
        return before

    def stop(self) -> None:
        """Charge what passed."""
        now = time.perf_counter()
        self.spent_s[self._current] += now - self._since
        self._since = now


class _Timed:
    """One part while somebody times; the part around it goes on after it."""

    __slots__ = ("_before", "_name", "_watch")

    def __init__(self, watch: _Stopwatch, name: Part) -> None:
        self._watch, self._name = watch, name

    def __enter__(self) -> None:
        self._before = self._watch.turn_to(self._name)

    def __exit__(self, *_: object) -> None:
        self._watch.turn_to(self._before)


_running: ContextVar[_Stopwatch | None] = ContextVar("_running", default=None)
_NOT_TIMED: AbstractContextManager[None] = nullcontext()


def timed(name: Part) -> AbstractContextManager[None]:
    """Mark which part of an answer a block is. Parts may stand inside each other; the inner one is charged.

    Costs 0.2 microseconds when nobody times.

    Args:
        name: tokenise, text to what the model reads; infer, from there to scores: encoder, heads, neighbours looked up;
            decode, scores to the answer, which is also whatever is not marked.
    """
    watch = _running.get()
    return _NOT_TIMED if watch is None else _Timed(watch, name)


def time_rows(predictor: Predictor, texts: Sequence[str]) -> Latency:
    """Milliseconds from text to answer, each text alone, after a short warm-up.

    Args:
        predictor: Whom to time.
        texts: At least one; how many there are is how well p99 is known.

    Returns:
        Percentiles and mean. `parts` adds up to `mean_ms`; what a predictor does not mark with `timed` is decode, so
        that one without a model (the blank object) has nothing else.

    Limit: a busy machine shows in p99; the mean is what usd_per_1000 is made of.
    """
    for text in texts[:WARM_UP_ROWS]:
        predictor.answer([text])
    spent = np.empty(len(texts))
    parts_s = dict.fromkeys(PARTS, 0.0)
    for i, text in enumerate(texts):
        watch = _answered(predictor, text)
        spent[i] = sum(watch.spent_s.values()) * 1000
        for name in PARTS:
            parts_s[name] += watch.spent_s[name]
    return latency_of(spent, {name: seconds * 1000 for name, seconds in parts_s.items()})


def latency_of(times_ms: NDArray[np.float64], parts_ms: Mapping[str, float]) -> Latency:
    """Percentiles and means.

    Args:
        times_ms: Of each row. All figures are NaN, which is shown as not measured, where there is none.
        parts_ms: Part → its milliseconds over all rows.
    """
    if not len(times_ms):
        return Latency(p50_ms=math.nan, p95_ms=math.nan, p99_ms=math.nan, mean_ms=math.nan, rows=0)
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(times_ms, [50, 95, 99]))
    rows = len(times_ms)
    parts = {name: round(total / rows, 3) for name, total in parts_ms.items()}
    mean = round(float(times_ms.mean()), 3)
    low, high = p99_ends(times_ms)
    return Latency(
        p50_ms=p50, p95_ms=p95, p99_ms=p99, mean_ms=mean, rows=rows, parts=parts, p99_low_ms=low, p99_high_ms=high
    )


def p99_ends(times_ms: NDArray[np.float64]) -> tuple[float, float | None]:
    """95 % interval of the 99th percentile, from the order of what was measured; a high end needs about 370 rows.

    Args:
        times_ms: Of each row, at least one.

    Returns:
        Its ends; the high one is None where so few rows cannot bound it.

    Source: order statistics, e.g. Conover (1999): how many of n rows lie below the percentile is binomial.
    """
    from scipy.stats import binom

    ordered, rows = np.sort(times_ms), len(times_ms)
    below, above = (int(binom.ppf(tail, rows, 0.99)) for tail in (0.025, 0.975))
    low = round(float(ordered[max(0, below - 1)]), 3)
    return low, None if above >= rows else round(float(ordered[above]), 3)


def _answered(predictor: Predictor, text: str) -> _Stopwatch:
    """One answer, timed; no other thread or task sees the watch."""
    watch = _Stopwatch()
    token = _running.set(watch)
    try:
        predictor.answer([text])
        watch.stop()
    finally:
        _running.reset(token)
    return watch
