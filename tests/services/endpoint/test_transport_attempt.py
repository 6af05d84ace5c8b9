from __future__ import annotations

import asyncio

import pytest

from tailtune.services.endpoint.budget import Budget
from tailtune.services.endpoint.transport import RequestAttempt, server_ms, timing_of

STEPS = {
    "connect_tcp.started": 1.000,
    "connect_tcp.complete": 1.020,
    "start_tls.started": 1.020,
    "start_tls.complete": 1.050,
    "send_request_headers.started": 1.050,
    "send_request_body.complete": 1.051,
    "receive_response_headers.complete": 1.251,
    "receive_response_body.complete": 1.261,
}


def test_parts_are_between_steps_and_the_whole_is_from_first_to_last() -> None:
    timing = timing_of(STEPS, 0.5, 1.9, {"openai-processing-ms": "150"})
    assert timing.total_ms == pytest.approx(261)
    expected = {"connect": 20, "tls": 30, "wait": 200, "body": 10, "server": 150}
    assert timing.parts == {name: pytest.approx(ms) for name, ms in expected.items()}


def test_a_kept_connection_has_no_connect_and_a_silent_server_no_server() -> None:
    kept = {step: at for step, at in STEPS.items() if not step.startswith(("connect", "start_tls"))}
    timing = timing_of(kept, 0.5, 1.9, {})
    assert timing.total_ms == pytest.approx(211)
    assert set(timing.parts) == {"wait", "body"}


def test_a_transport_that_tells_nothing_is_timed_as_a_whole() -> None:
    assert timing_of({}, 1.0, 1.5, {}).total_ms == pytest.approx(500)


def test_the_server_cannot_have_worked_longer_than_it_was_waited_for() -> None:
    assert timing_of(STEPS, 0, 2, {"x-processing-ms": "9999"}).parts["server"] == pytest.approx(200)


@pytest.mark.parametrize(
    ("headers", "ms"),
    [
        ({"openai-processing-ms": "120"}, 120),
        ({"x-processing-ms": "7.5"}, 7.5),
        ({"x-envoy-upstream-service-time": "31"}, 31),
        ({"server-timing": 'db;dur=5, total;desc="all of it";dur=42.5, miss'}, 42.5),
        ({"server-timing": "miss"}, None),
        ({"openai-processing-ms": "soon", "x-processing-ms": "3"}, 3),
        ({"openai-processing-ms": "-1"}, None),
        ({"openai-processing-ms": "nan"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_servers_tell_their_time_in_several_ways(headers: dict[str, str], ms: float | None) -> None:
    assert server_ms(headers) == ms


def started(budget: Budget) -> RequestAttempt:
    attempt = RequestAttempt(budget, budget.reserve(0.6), 0.6)
    assert attempt.start()
    return attempt


def test_an_attempt_that_was_not_sent_is_not_lost() -> None:
    budget = Budget(1)
    attempt = started(budget)
    asyncio.run(attempt.trace("connection.connect_tcp.started", {}))
    attempt.lose()
    assert budget.lost_requests == 0
    assert attempt.start()
    attempt.end()
    assert (budget.left_usd, budget.busy) == (1, False)


def test_an_attempt_that_was_sent_is_paid_for_before_the_next() -> None:
    budget = Budget(1)
    attempt = started(budget)
    asyncio.run(attempt.trace("http11.send_request_headers.started", {}))
    attempt.lose()
    assert budget.lost_requests == 1
    assert not attempt.start()
    assert attempt.unaffordable
    attempt.end()
    assert budget.left_usd == pytest.approx(0.4)


def test_a_request_that_is_broken_off_in_the_air_may_be_charged() -> None:
    budget = Budget(1)
    attempt = started(budget)
    asyncio.run(attempt.trace("http11.send_request_headers.started", {}))
    attempt.end()
    assert budget.lost_requests == 1
    assert not budget.busy
