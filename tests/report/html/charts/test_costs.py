"""Candidates cross where they break even."""

from __future__ import annotations

import re

from tailtune.report.html.charts import break_even

from ... import lives
from ...basics import NAN


def test_roads_cross_at_the_break_even_volume() -> None:
    economics = lives.tune()["decide"].economics
    svg = str(break_even(economics))
    ends = [
        [float(number) for number in re.findall(r"[\d.]+", path)]
        for path in re.findall(r'<path d="([^"]*)" class="series ', svg)
    ]
    assert len(ends) == 2
    (x0, a0, x1, a1), (_, b0, _, b1) = ends
    cross = x0 + (b0 - a0) / ((a1 - a0) - (b1 - b0)) * (x1 - x0)
    target = re.search(r'<line x1="([\d.]+)"[^>]*class="target"', svg)
    assert target is not None and abs(cross - float(target[1])) < 1.0
    assert "break-even 617" in svg and "you: 6,000" in svg


def test_without_two_known_roads_there_is_no_crossing_to_draw() -> None:
    assert break_even(lives.not_yet()["decide"].economics) is None
    economics = lives.tune()["decide"].economics
    never = economics.break_even_per_day.model_copy(update={"value": NAN, "low": NAN, "high": NAN})
    svg = str(break_even(economics.model_copy(update={"break_even_per_day": never})))
    assert "break-even" not in svg and svg.count('class="series ') == 2
