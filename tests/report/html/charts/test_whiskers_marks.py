"""Small marks for cells of tables."""

from __future__ import annotations

from tailtune.report.html.charts import whisker_strip
from tailtune.report.numbers import Scale

from ...basics import NAN, estimate
from .dots import dots


def test_a_strip_draws_nothing_for_what_was_not_measured() -> None:
    assert whisker_strip(estimate(NAN, 9), Scale(0, 1)) == ""
    assert len(dots(str(whisker_strip(estimate(0.5, 9), Scale(0, 1))), "mark")) == 1
