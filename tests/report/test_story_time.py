"""Whose time an answer takes: never more than was measured, and never told apart where nobody can."""

from __future__ import annotations

import math

import pytest

from tailtune.core.records import Latency
from tailtune.report.story import Story, families, of_family, time_parts, time_sentences, timed_candidates

from . import claims, fixtures, lives


def latency(mean_ms: float, **parts: float) -> Latency:
    return Latency(p50_ms=mean_ms, p95_ms=mean_ms, p99_ms=mean_ms, mean_ms=mean_ms, rows=9, parts=parts)


def test_the_servers_part_is_taken_out_of_the_wait() -> None:
    parts = time_parts(latency(800, connect=10, tls=20, wait=740, server=600, body=30))
    assert [(part.name, part.mean_ms) for part in parts] == [
        ("connect", 10), ("tls", 20), ("network", 140), ("server", 600), ("body", 30),
    ]  # fmt: skip
    assert (of_family(parts, "network"), of_family(parts, "model")) == (200, 600)
    assert math.fsum(part.mean_ms for part in parts) == 800


def test_a_wait_that_the_server_does_not_explain_is_both_networks_and_models() -> None:
    parts = time_parts(latency(800, connect=10, wait=760, body=30))
    assert (of_family(parts, "either"), of_family(parts, "model")) == (760, 0)


def test_a_server_that_says_more_than_the_wait_leaves_the_network_nothing() -> None:
    parts = time_parts(latency(700, wait=690, server=700, body=10))
    assert of_family(parts, "network") == 10


def test_what_no_part_explains_is_named() -> None:
    parts = time_parts(latency(10, tokenise=1, infer=6))
    assert [(part.name, part.mean_ms) for part in parts] == [("tokenise", 1), ("infer", 6), ("rest", 3)]
    assert "rest" not in [part.name for part in time_parts(latency(10, infer=9.95))], "rounding is no part"


def test_without_parts_nothing_is_made_up() -> None:
    assert time_parts(latency(10)) == ()
    assert families(latency(10)) == {"either"}
    assert time_parts(latency(10, strange_part=10))[0].title == "strange part"


def test_the_page_says_who_is_slow_and_what_a_local_model_saves() -> None:
    model, saved = time_sentences(Story.of(lives.stay()))
    assert "takes 772 ms on average: 548 ms the model, 224 ms the network. The model is the slow part, 71.0 %" in model
    assert saved == "Frozen encoder + linear probe, a model on your own machine, takes 5.8 ms: 766 ms less an answer."
    both, saved = time_sentences(Story.of(lives.tune()))
    assert "network and model together, because the server does not say" in both
    assert saved.startswith("LoRA fine-tune")
    assert time_sentences(Story.of(fixtures.whole())) == () == time_sentences(Story.of(claims.whole()))


def test_a_slow_network_is_called_slow() -> None:
    reports = lives.stay()
    report = reports["prompt"]
    rungs = [
        rung.model_copy(update={"latency": latency(300, connect=100, tls=100, wait=90, server=50, body=10)})
        for rung in report.rungs
    ]
    slow = time_sentences(Story.of({**reports, "prompt": report.model_copy(update={"rungs": tuple(rungs)})}))[0]
    assert "The network is the slow part, 83.3 % of the time." in slow


@pytest.mark.parametrize(("life", "last"), [(lives.stay, "probe"), (lives.tune, "lora"), (lives.extraction, "lora")])
def test_every_prompt_is_compared_with_the_best_at_home(life: object, last: str) -> None:
    assert callable(life)
    names = [way.name for way in timed_candidates(Story.of(life()))]
    assert names[-1] == last
    assert [name for name in names if name.startswith("lm_")]
