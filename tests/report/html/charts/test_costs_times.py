"""Bars are as long as their times."""

from __future__ import annotations

import re

from tailtune.report.html.charts import times
from tailtune.report.story import Story, timed_candidates

from ... import lives


def test_bars_are_as_long_as_their_times() -> None:
    found = timed_candidates(Story.of(lives.stay()))
    svg = str(times(found))
    widths = [float(width) for width in re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)"', svg)]
    titles = re.findall(r"<rect[^>]*><title>([^<]*)", svg)
    assert len(widths) == len(titles) == 4 * 5 + 3
    assert all(candidate.latency is not None for candidate in found)
    means = [candidate.latency.mean_ms for candidate in found if candidate.latency]
    bars = [sum(widths[place * 5 : place * 5 + 5]) for place in range(4)]
    for bar, mean in zip(bars, means[:4], strict=True):
        assert abs(bar - mean / max(means) * 384) < 0.5
    assert 2.5 < sum(widths[20:]) < 3.5, "a short bar can still be seen"
    assert times([]) is None
