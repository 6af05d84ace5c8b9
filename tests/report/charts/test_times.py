"""Bars are as long as their times."""

from __future__ import annotations

import re

from tailtune.report.charts import time_parts
from tailtune.report.slowness import shown
from tailtune.report.story import Story

from .. import lives


def test_bars_are_as_long_as_their_times() -> None:
    found = shown(Story.of(lives.stay()))
    svg = str(time_parts(found))
    widths = [float(width) for width in re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)"', svg)]
    titles = re.findall(r"<rect[^>]*><title>([^<]*)", svg)
    assert len(widths) == len(titles) == 4 * 5 + 3
    assert all(way.latency is not None for way in found)
    means = [way.latency.mean_ms for way in found if way.latency]
    bars = [sum(widths[place * 5 : place * 5 + 5]) for place in range(4)]
    for bar, mean in zip(bars, means[:4], strict=True):
        assert abs(bar - mean / max(means) * 384) < 0.5
    assert 2.5 < sum(widths[20:]) < 3.5, "a short bar can still be seen"
    assert time_parts([]) == ""
