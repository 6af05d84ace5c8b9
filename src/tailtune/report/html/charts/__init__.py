"""The page's pictures: pure functions from report records to inline SVG. 400 units wide, readable on a phone."""

from __future__ import annotations

from tailtune.report.html.charts.costs import break_even, calibration, curve, times
from tailtune.report.html.charts.sheet import Picture
from tailtune.report.html.charts.trade_off import drawn, trade_off
from tailtune.report.html.charts.whiskers import confusions, strip, weakest, whisker_strip, whiskers

__all__ = [
    "Picture",
    "break_even",
    "calibration",
    "confusions",
    "curve",
    "drawn",
    "strip",
    "times",
    "trade_off",
    "weakest",
    "whisker_strip",
    "whiskers",
]
