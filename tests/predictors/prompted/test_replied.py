"""Costs of bought answers are known or null; latency has its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tailtune.core.language import Reply, Timing
from tailtune.core.records import Answer
from tailtune.predictors.prompted.replied import latency, price
from tailtune.predictors.prompted.rung import Asked


def asked(total_ms: float, parts: Mapping[str, float]) -> Asked:
    return Asked(Answer("a", float("nan")), Reply("a", "stop", 1, 1, timing=Timing(total_ms, parts)))


def test_parts_are_means_over_all_requests() -> None:
    """Three of four requests used a kept-alive connection: connecting cost them nothing, not an unknown amount."""
    found = latency([asked(100, {"connect": 40, "wait": 60}), *[asked(60, {"wait": 60})] * 3])
    assert found.parts == {"connect": 10, "wait": 60}
    assert found.mean_ms == sum(found.parts.values()) == 70
    assert (found.p50_ms, found.rows) == (60, 4)


def test_a_price_has_an_interval() -> None:
    found = price([0.001, 0.003] * 50)
    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert found.low < 2.0 < found.high
    assert found.high - found.value == pytest.approx(1.96 * 1.005 / 10, rel=0.01)


@pytest.mark.parametrize("usd", [[0.001, None], [None], []])
def test_one_unknown_cost_makes_the_price_unknown(usd: Sequence[float | None]) -> None:
    assert price(usd) is None


def test_a_free_answer_is_known_to_be_free() -> None:
    found = price([0.0, 0.0])
    assert found is not None and (found.value, found.low, found.high) == (0, 0, 0)
