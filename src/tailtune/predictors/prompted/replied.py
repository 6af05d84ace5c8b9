"""What answers of a language model took: time and money, over all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tailtune.core.records import Estimate, Latency
from tailtune.predictors.prompted.rung import Asked

_Z95 = 1.959963984540054


def latency(asked: Sequence[Asked]) -> Latency:
    """Percentiles of whole requests as they were first answered; parts are means over all requests.

    A part that a request did not have (a kept-alive connection does not connect) counts as 0, so that parts add up.
    """
    times = np.array([one.reply.timing.total_ms for one in asked])
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(times, [50, 95, 99]))
    sums: Counter[str] = Counter()
    for one in asked:
        sums.update(one.reply.timing.parts)
    parts = {name: round(total / len(asked), 3) for name, total in sums.items()}
    mean = round(float(times.mean()), 3)
    return Latency(p50_ms=p50, p95_ms=p95, p99_ms=p99, mean_ms=mean, rows=len(asked), parts=parts)


def price(usd: Sequence[float | None]) -> Estimate | None:
    """US dollars for 1,000 rows with a normal 95 % interval; None as soon as one answer's cost is not known."""
    known = [one for one in usd if one is not None]
    if len(known) < len(usd) or not known:
        return None
    mean = float(np.mean(known)) * 1000
    half = _Z95 * float(np.std(known, ddof=1)) / math.sqrt(len(known)) * 1000 if len(known) > 1 else 0.0
    return Estimate(value=mean, low=max(0.0, mean - half), high=mean + half, rows=len(known))
