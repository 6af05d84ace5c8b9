"""Every candidate in one list, and which of them nothing beats in both price and quality."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tailtune.report.story import Candidate, Story, candidates, undominated

from . import fixtures, lives
from .basics import estimate


def test_local_rungs_prompts_and_the_tested_fine_tune_are_all_there() -> None:
    found = candidates(Story.of(lives.tune()))
    assert [candidate.kind for candidate in found] == ["local"] * 6 + ["prompted"] * 6 + ["tuned"]
    assert found[-1].name == "lora"
    assert [candidate.kind for candidate in candidates(Story.of(fixtures.stay()))] == ["local"] * 6
    assert candidates(Story.of({})) == ()


def test_only_what_stopped_early_has_a_confidence_sequence() -> None:
    found = {candidate.name: candidate for candidate in candidates(Story.of(lives.tune()))}
    early = [name for name, candidate in found.items() if candidate.stopped_early]
    assert early == ["lm_zero_shot", "lm_few_shot", "lm_chain_of_thought"]
    halted = {candidate.name: candidate for candidate in candidates(Story.of(lives.not_yet()))}["lm_retrieval"]
    assert halted.quality.rows < 240 and not halted.stopped_early, "the budget stopped it, not what it said"


def test_price_usable_share_and_labels() -> None:
    found = {candidate.name: candidate for candidate in candidates(Story.of(lives.stay()))}
    zero, probe = found["lm_zero_shot"], found["probe"]
    assert zero.usd is not None and zero.usd.low < zero.usd.value < zero.usd.high
    assert probe.usd is not None and probe.usd.low == probe.usd.value == probe.usd.high
    assert zero.usable == 1 - 3 / 200
    assert (probe.labels, probe.usable) == ("8,123", 1.0)
    unpriced = {candidate.name: candidate for candidate in candidates(Story.of(lives.not_yet()))}["lm_retrieval"]
    assert unpriced.usd is None


def _way(price: float | None, quality: float) -> Candidate:
    rung = fixtures.ladder().rungs[1]
    return Candidate(
        rung.model_copy(update={"usd_per_1000": price, "metrics": {"accuracy": estimate(quality, 100)}}), "local"
    )


PRICES, QUALITIES = st.sampled_from([0.0, 0.1, 1.0, 5.0, None]), st.sampled_from([0.5, 0.7, 0.9, math.nan])


@given(st.lists(st.tuples(PRICES, QUALITIES)))
def test_nothing_beats_an_undominated_way_and_something_beats_the_rest(drawn: list[tuple[float | None, float]]) -> None:
    known = [(price, quality) for price, quality in drawn if price is not None and not math.isnan(quality)]
    best = undominated([_way(*one) for one in drawn])
    kept = [(candidate.usd.value if candidate.usd else -1.0, candidate.quality.value) for candidate in best]
    assert kept == sorted(kept)

    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    assert set(kept) == {one for one in known if not any(beats(other, one) for other in known)}
