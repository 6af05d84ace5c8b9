"""The page's pictures: pure functions from report records to inline SVG. 400 units wide, readable on a phone."""

from __future__ import annotations

from tailtune.report.charts.costs import SERIES, break_even
from tailtune.report.charts.curves import calibration, curve
from tailtune.report.charts.marks import strip, whisker_strip
from tailtune.report.charts.times import time_parts
from tailtune.report.charts.trade_off import drawn, trade_off
from tailtune.report.charts.whiskers import whiskers

__all__ = [
    "SERIES",
    "break_even",
    "calibration",
    "curve",
    "drawn",
    "strip",
    "time_parts",
    "trade_off",
    "whisker_strip",
    "whiskers",
]
