"""The page's pictures: pure functions from report records to inline SVG. 400 units wide, readable on a phone."""

from __future__ import annotations

from tailtune.report.html.charts.costs import SERIES, break_even, calibration, curve, times
from tailtune.report.html.charts.trade_off import drawn, trade_off
from tailtune.report.html.charts.whiskers import strip, whisker_strip, whiskers

__all__ = [
    "SERIES",
    "break_even",
    "calibration",
    "curve",
    "drawn",
    "strip",
    "times",
    "trade_off",
    "whisker_strip",
    "whiskers",
]
