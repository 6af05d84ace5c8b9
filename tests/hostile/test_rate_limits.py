"""Rate limits: a run shows that it waits, and somebody who waits for an answer gets an error within seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from predictors.prompted.scripted import CODEC, SHOWING
from services.endpoint.helpers import asks, spec_of
from services.endpoint.test_pace import Clock
from tasks.classification.contract import context

from tailtune.core.errors import EndpointError, ServiceError
from tailtune.lifecycle.bundle import needs
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import build
from tailtune.services.endpoint import Endpoint, pace
from tailtune.services.endpoint.pace import SERVED_WAIT_S, Pace
from tailtune.tasks import saved


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        yield running


def limited(retry_after_s: float | None) -> Mishap:
    return Mishap("status", 429, retry_after_s, message="Slow down")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_pause_is_shown_once_with_its_host(double: Double, concurrency: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_SHOWN_S", 0.05)
    double.conduct.next(*[limited(0.3)] * concurrency)
    lines: list[str] = []
    model = Endpoint(spec_of(double, concurrency=concurrency), on_wait=lines.append)
    model.ask(asks(8))
    model.close()
    (line,) = lines
    host = re.escape(double.url.split("/")[2])
    assert re.fullmatch(rf"rate limited by {host}: waiting 0 s \(0 of at most 600 s\)", line)


@pytest.mark.parametrize(
    ("requested_s", "lines"),
    [
        (30.0, [(30, 30), (30, 60), (30, 90)]),
        (None, [(8, 15.5), (16, 31.5), (32, 63.5), (60, 123.5)]),
        (4.9, []),
        (0.0, []),
    ],
)
def test_each_pause_that_is_noticed_is_a_line_and_short_ones_are_none(
    requested_s: float | None, lines: list[tuple[float, float]]
) -> None:
    clock, shown = Clock(), list[tuple[float, ...]]()
    waiting = Pace(600, lambda *seconds: shown.append(seconds), clock=clock.read)
    for _ in range(3 if requested_s is not None else 8):
        assert all(waiting.limited(requested_s) for _ in range(4)), "four requests are refused together"
        clock.now = waiting._free_at
    assert shown == [(*line, 600) for line in lines]


@pytest.mark.parametrize("answered", [False, True], ids=["without an answer", "with answers in between"])
@pytest.mark.parametrize("requested_s", [None, 0.0, 0.3, 1.0, 4.0, 5.1, 60.0])
def test_a_served_call_waits_seconds_in_all(requested_s: float | None, answered: bool) -> None:
    clock = Clock()
    waiting = Pace(SERVED_WAIT_S, per_call=True, clock=clock.read)
    for _ in range(3):
        waiting.begin()
        began = clock.now
        for _ in range(1000):
            if not waiting.limited(requested_s):
                break
            clock.now = max(clock.now, waiting._free_at)
            if answered:
                waiting.answered()
        else:
            pytest.fail("it waits for ever")
        assert clock.now - began <= SERVED_WAIT_S, "each call has a time of its own"


@pytest.mark.parametrize("texts", [1, 40])
def test_a_served_prompt_fails_at_once_and_says_so_while_a_run_waits(
    double: Double, texts: int, tmp_path: Path
) -> None:
    spec = spec_of(double, retries=4)
    build("lm_zero_shot", {"zero_shot": SHOWING}, CODEC, context(), open_model(spec), spec, 8).save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS["lm_zero_shot"], ())
    double.conduct.every, double.conduct.mishap = 1, limited(30)
    served, began = saved.load(tmp_path), time.monotonic()
    for _ in range(2):
        with pytest.raises(EndpointError, match="a served model waits 5 seconds at most") as raised:
            served.answer(["text"] * texts)
    assert time.monotonic() - began < 2
    assert raised.value.hint == "ask again later, or ask for fewer texts at once"
    assert len(double.seen) <= 2 * spec.concurrency

    double.conduct.mishap = limited(700)
    with pytest.raises(ServiceError, match="within rate_limit_wait_s: 600"):
        needs(tmp_path, "text", print)
