"""Rate limits, waited out: how long a server asks to wait, and one waiting time for all requests of an endpoint."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_FIRST_S, _MOST_S = 0.5, 60.0  # pauses when a server does not say how long: 0.5, 1, 2, … 60 seconds
_FIRST_TOLD_S = 0.05  # the least pause when it does, doubled likewise: a server may say 0
SERVED_WAIT_S = 5.0
"""Most seconds that a call waits in all when somebody waits for its answers."""
_SHOWN_S = 5.0  # shorter pauses pass unseen
_SEARCHED = 2_000  # characters of a body
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNIT = r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![a-z])"
_PIECE = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s?({_UNIT})", re.IGNORECASE)
_IN_WORDS = re.compile(
    r"(?:try again|retry|wait|reset|retrydelay)\W{1,4}(?:[a-z]{1,12}\W{1,4}){0,3}?"
    rf"((?:\d{{1,9}}(?:\.\d{{1,9}})?\s?{_UNIT}\s?){{1,3}})",
    re.IGNORECASE,
)


def requested_wait_s(headers: Mapping[str, str], text: str, now: float) -> float | None:
    """Seconds that a server asks to wait; None when it does not say.

    Args:
        headers: Of its answer: `retry-after-ms`, `retry-after` in seconds or as a date.
        text: Its body: "Please try again in 1m30s", `"retryDelay": "34s"`.
        now: Seconds since 1970.

    Source: RFC 9110, 10.2.3; the wordings are those of OpenAI, Azure and Google.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is not None and (seconds := _seconds(value, unit_s, now)) is not None:
            return seconds
    words = _IN_WORDS.search(text[:_SEARCHED])
    if words is None:
        return None
    return sum(float(number) * _unit_s(unit.casefold()) for number, unit in _PIECE.findall(words[1]))


def _unit_s(unit: str) -> float:
    return _UNITS_S["ms"] if unit.startswith(("ms", "milli")) else _UNITS_S[unit[0]]


def _seconds(value: str, unit_s: float, now: float) -> float | None:
    try:
        seconds = float(value) * unit_s
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) or seconds < 0 else seconds


OnWait = Callable[[float, float, float], None]
"""Called at the start of a pause with seconds: of the pause, waited when it is over, waited at most."""


class Pace:
    """One per endpoint in use: after a rate limit every request waits until it has passed.

    Args:
        most_s: Seconds to wait at most without one answer in between.
        on_wait: Is shown each pause that a person would notice.
        per_call: Whether `most_s` bounds all pauses of a call, also those with answers in between.
        clock: Seconds that only grow.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        most_s: float,
        on_wait: OnWait | None = None,
        per_call: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._most_s, self._on_wait, self._per_call = most_s, on_wait, per_call
        self._clock, self._sleep = clock, sleep
        self._free_at = -math.inf
        self._waited_s = 0.0
        self._rounds = 0

    async def wait(self) -> None:
        """Return when a request may be sent."""
        while (seconds := self._free_at - self._clock()) > 0:
            await self._sleep(seconds)

    def begin(self) -> None:
        """A call begins: it has the whole time to wait."""
        self._waited_s, self._rounds = 0.0, 0

    def answered(self) -> None:
        """A request was answered: the limit has passed."""
        self._rounds = 0
        if not self._per_call:
            self._waited_s = 0.0

    def limited(self, requested_s: float | None) -> bool:
        """A request was refused by a rate limit. Returns whether it is worth waiting and sending it again.

        Args:
            requested_s: Seconds that the server asks to wait; None when it does not say.
        """
        now, free_at = self._clock(), self._free_at
        if now < free_at and requested_s is None:  # sent before the pause that another one's refusal began
            return True
        first_s = _FIRST_S if requested_s is None else _FIRST_TOLD_S
        wait_s = max(requested_s or 0.0, min(_MOST_S, first_s * 2**self._rounds))
        until = max(free_at, now + wait_s)
        waited_s = self._waited_s + until - max(free_at, now)
        if waited_s > self._most_s:
            return False
        self._waited_s, self._free_at = waited_s, until
        if now >= free_at:
            self._rounds = min(self._rounds + 1, 16)
            if wait_s >= _SHOWN_S and self._on_wait is not None:
                self._on_wait(wait_s, waited_s, self._most_s)
        return True
