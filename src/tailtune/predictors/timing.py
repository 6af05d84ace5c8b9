"""Latency of a predictor, one row at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from tailtune.core.records import Latency
from tailtune.predictors.base import Predictor

WARM_UP_ROWS = 5


def time_rows(predictor: Predictor, texts: Sequence[str]) -> Latency:
    """Milliseconds from text to answer, each text alone, after a short warm-up.

    Args:
        predictor: Whom to time.
        texts: At least one; how many there are is how well p99 is known.

    Limit: a busy machine shows in p99; the mean is what usd_per_1000 is made of.
    """
    for text in texts[:WARM_UP_ROWS]:
        predictor.answer([text])
    spent = np.empty(len(texts))
    for i, text in enumerate(texts):
        start = time.perf_counter()
        predictor.answer([text])
        spent[i] = (time.perf_counter() - start) * 1000
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(spent, [50, 95, 99]))
    return Latency(p50_ms=p50, p95_ms=p95, p99_ms=p99, mean_ms=round(float(spent.mean()), 3), rows=len(texts))
