"""Where marks lie: better is higher, dearer is further right, slower is larger."""

from __future__ import annotations

import re

from tailtune.report.html.charts import drawn, trade_off
from tailtune.report.html.charts.trade_off import radius
from tailtune.report.story import Candidate, Story, candidates

from ... import lives
from .dots import dots


def test_better_is_higher_dearer_is_further_right_and_slower_is_larger() -> None:
    found = [candidate for candidate in candidates(Story.of(lives.tune())) if candidate.kind == "prompted"]
    svg = str(trade_off(found, 0.93, "lm_strong"))
    marks = dots(svg, "prompted")
    assert len(marks) == len(found) == 6
    best = dots(svg, "best")
    assert len(best) == 1
    assert best[0][0] == max(x for x, _, _ in marks), "the strong model is the dearest"
    assert best[0][1] == min(y for _, y, _ in marks), "and the best"
    slowest = max(found, key=lambda candidate: candidate.latency.p99_ms if candidate.latency else 0)
    assert max(r for _, _, r in marks) == round(radius(slowest.latency.p99_ms if slowest.latency else None), 1)
    assert radius(1) < radius(10) < radius(1000)


def test_every_drawn_way_is_named_and_unpriced_ones_are_not_drawn() -> None:
    found = candidates(Story.of(lives.not_yet()))
    near, _ = drawn(found, 0.9)
    svg = str(trade_off(found, 0.9, "lm_retrieval"))
    assert [candidate.kind for candidate in near] == ["local"] * 5, "the majority class is far below the rest"
    assert len(dots(svg, "local")) == 5
    assert not dots(svg, "prompted")
    assert len(re.findall(r'class="name ', svg)) == 5


def test_without_prices_there_is_no_picture() -> None:
    found = [
        Candidate(candidate.scored.model_copy(update={"usd_per_1000": None}), "local")
        for candidate in candidates(Story.of(lives.tune()))[:6]
    ]
    assert trade_off(found, 0.9, "probe") is None
    free = [Candidate(candidate.scored.model_copy(update={"usd_per_1000": 0.0}), "local") for candidate in found]
    assert trade_off(free, 0.9, "probe") is None
    assert trade_off([], None, "") is None


def test_a_way_that_costs_nothing_stands_at_the_left_edge() -> None:
    found = list(candidates(Story.of(lives.tune())))
    free = Candidate(found[5].scored.model_copy(update={"usd_per_1000": 0.0}), "local")
    svg = str(trade_off([*found[6:], free], 0.93, "lm_strong"))
    assert dots(svg, "local")[0][0] == min(x for x, _, _ in dots(svg, "mark"))


def test_long_prices_below_the_axis_do_not_run_into_each_other() -> None:
    some = [candidate for candidate in candidates(Story.of(lives.tune())) if candidate.kind == "prompted"][-3:]
    prices = (0.0000002, 0.0003, 0.0008)
    found = [
        Candidate(candidate.scored.model_copy(update={"usd_per_1000": price}), "local")
        for candidate, price in zip(some, prices, strict=True)
    ]
    shown = re.findall(r">(\$[0-9.]+)<", str(trade_off(found, None, "")))
    assert shown == ["$0.0000001", "$0.00001", "$0.001"]
