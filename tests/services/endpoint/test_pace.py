"""Waiting for a rate limit to pass, on a clock that only these tests move."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from tailtune.services.endpoint.pace import Pace, requested_wait_s

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@dataclass
class Clock:
    """Seconds that pass only while somebody sleeps."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def pace(self, most_s: float) -> Pace:
        return Pace(most_s, clock=self.read, sleep=self.sleep)


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry-after": "90"}, "", 90),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, "", 60),
        ({"retry-after": "Tue, 14 Nov 2023 22:12:20 GMT"}, "", 0),
        ({}, "Limit 10. Please try again in 12.3s.", 12.3),
        ({}, "Please try again in 1m30s", 90),
        ({}, "please try again in 250ms.", 0.25),
        ({}, "Please retry after 26 seconds.", 26),
        ({}, "Please wait for 2 minutes", 120),
        ({}, "retry in 5 ſ", 5),
        ({}, '{"details": [{"retryDelay": "34s"}]}', 34),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "1e999"}, "", math.inf),
        ({}, "You sent 5 messages in 3 seconds", None),
        ({}, "try again " * 10_000, None),
        ({}, "", None),
    ],
)
def test_a_server_says_how_long_to_wait(headers: dict[str, str], text: str, seconds: float | None) -> None:
    found = requested_wait_s(headers, text, NOW)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("requested_s", "pauses"), [(20.0, [20.0] * 4), (None, [0.5, 1, 2, 4]), (0.0, [0.05, 0.1])])
def test_pauses_are_as_requested_or_grow(requested_s: float | None, pauses: list[float]) -> None:
    clock = Clock()
    pace = clock.pace(600)
    for _ in pauses:
        assert pace.limited(requested_s)
        asyncio.run(pace.wait())
    assert clock.pauses == pytest.approx(pauses)


def test_pauses_end_when_there_was_no_answer_for_too_long() -> None:
    clock = Clock()
    pace = clock.pace(600)
    while pace.limited(None):
        asyncio.run(pace.wait())
    assert 540 <= clock.now <= 600
    assert max(clock.pauses) == 60


def test_an_answer_begins_the_time_anew() -> None:
    clock = Clock()
    pace = clock.pace(100)
    for _ in range(10):
        assert pace.limited(90)
        asyncio.run(pace.wait())
        pace.answered()


@pytest.mark.parametrize("requested_s", [601.0, 86_400.0, math.inf])
def test_a_wait_beyond_the_limit_is_not_begun(requested_s: float) -> None:
    clock = Clock()
    assert not clock.pace(600).limited(requested_s)
    assert clock.pauses == []


def test_requests_that_are_refused_together_wait_once() -> None:
    clock = Clock()
    pace = clock.pace(600)
    assert all(pace.limited(None) for _ in range(64))
    asyncio.run(pace.wait())
    assert clock.pauses == [0.5]
