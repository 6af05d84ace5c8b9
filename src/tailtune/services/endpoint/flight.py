"""What happens to one request on its way: when its bytes moved, and what of it may have to be paid."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.language import Timing
from tailtune.services.endpoint.budget import Hold, Purse

FLIGHT: ContextVar[Flight] = ContextVar("FLIGHT")
"""The request that the present task sends."""

_DURATION = re.compile(r";\s*dur=([0-9.]+)", re.IGNORECASE)
_FIRST = ("connect_tcp.started", "send_request_headers.started")
_TOLD_IN = ("openai-processing-ms", "x-processing-ms", "x-envoy-upstream-service-time")


@dataclass(eq=False)
class Flight:
    """One per request, over all its attempts.

    Attributes:
        purse: Who pays.
        held: What is put aside for the attempt under way; None when a lost one used it up.
        most_usd: What an attempt may cost at most; None without a price.
        in_air: Whether an attempt is under way, rather than waiting to be sent again.
        broke: Whether it was not sent again for want of money.
        timing: Of the last attempt that was answered.
    """

    purse: Purse
    held: Hold | None
    most_usd: float | None = None
    in_air: bool = False
    broke: bool = False
    timing: Timing = field(default_factory=lambda: Timing(0.0))
    _begun: float = 0.0
    _marks: dict[str, float] = field(default_factory=dict)

    def depart(self) -> bool:
        """An attempt begins. Returns False when an earlier one was lost and there is no money for another."""
        if self.held is None:
            self.held = self.purse.hold(self.most_usd)
            self.broke = self.held is None
        self.in_air = not self.broke
        self._marks.clear()
        self._begun = time.perf_counter()
        return self.in_air

    async def hear(self, event: str, _: Mapping[str, Any]) -> None:
        """A step of the transport, as httpx2's extension `trace` tells it: `http11.send_request_body.complete`."""
        self._marks[event.partition(".")[2]] = time.perf_counter()

    def land(self, headers: Mapping[str, str]) -> None:
        """The attempt was answered to the last byte."""
        self.in_air = False
        self.timing = timing_of(self._marks, self._begun, time.perf_counter(), headers)

    def lose(self) -> None:
        """The attempt ended without an answer that can be read; if it was sent, it may be charged."""
        self.in_air = False
        if self.held is not None and "send_request_headers.started" in self._marks:
            self.purse.lose(self.held)
            self.held = None

    def settle(self, usd: float | None) -> None:
        """The request was answered, for so much."""
        if self.held is not None:
            self.purse.settle(self.held, usd)
            self.held = None

    def end(self) -> None:
        """Nothing more is sent. What is still in the air, because it was broken off, counts as lost."""
        if self.in_air:
            self.lose()
        if self.held is not None:
            self.purse.release(self.held)
            self.held = None


def timing_of(marks: Mapping[str, float], begun: float, ended: float, headers: Mapping[str, str]) -> Timing:
    """What an attempt took.

    Args:
        marks: Step, `connect_tcp.started` → seconds on the clock. Connections that were kept have no connect.
        begun: Before anything was done, for a transport that tells no steps.
        ended: After everything was.
        headers: Of the response.

    Returns:
        Milliseconds from the first step to the last byte; what other requests of this process made it wait before is
        not in it. `server` is at most `wait`, of which it is a part.
    """
    begun = min((marks[step] for step in _FIRST if step in marks), default=begun)
    ended = marks.get("receive_response_body.complete", ended)
    parts: dict[str, float] = {}

    def took(name: str, since: str, until: float | None) -> None:
        if since in marks and until is not None:
            parts[name] = max(0.0, until - marks[since]) * 1000

    took("connect", "connect_tcp.started", marks.get("connect_tcp.complete"))
    took("tls", "start_tls.started", marks.get("start_tls.complete"))
    took("wait", "send_request_body.complete", marks.get("receive_response_headers.complete"))
    took("body", "receive_response_headers.complete", ended)
    server = told_ms(headers)
    if server is not None:
        parts["server"] = min(server, parts.get("wait", server))
    return Timing((ended - begun) * 1000, parts)


def told_ms(headers: Mapping[str, str]) -> float | None:
    """Milliseconds that a server says it worked; None when it does not say.

    Source: W3C Server Timing for `server-timing`, of which the longest metric counts: metrics may overlap, and a total
    is the longest; the other headers are what OpenAI, gateways and Envoy send.
    """
    for name in _TOLD_IN:
        value = _milliseconds(headers.get(name, ""))
        if value is not None:
            return value
    durations = [_milliseconds(match[1]) for match in _DURATION.finditer(headers.get("server-timing", ""))]
    return max((value for value in durations if value is not None), default=None)


def _milliseconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
