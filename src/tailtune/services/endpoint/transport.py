"""The HTTP client below openai's: a time-out over the whole request, its steps timed, rate limits waited out."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, OpenAIError

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import UNTIMED, Timing
from tailtune.core.loopback import is_loopback
from tailtune.core.money import Usd
from tailtune.services.endpoint.bodies import read_body, readable
from tailtune.services.endpoint.budget import Budget, Reservation
from tailtune.services.endpoint.pace import Pace, requested_wait_s
from tailtune.services.endpoint.usage import Usage, read_usage
from tailtune.services.endpoint.wording import UNREADABLE, out_of_quota, parse_json

_KEEP_S = 60.0
_LIST_S = 10.0
_NO_KEY = "none"
_OVERLOADED = (503, 529)  # waited out when the server says how long; otherwise retried as any failure
_MOVED = (301, 302, 307, 308)
_MOST_REDIRECTS = 5
_REWRITTEN = ("content-encoding", "content-length", "transfer-encoding", "content-type")
_DURATION = re.compile(r";\s*dur=([0-9.]+)", re.IGNORECASE)
_FIRST = ("connect_tcp.started", "send_request_headers.started")
_SERVER_TIME_HEADERS = ("openai-processing-ms", "x-processing-ms", "x-envoy-upstream-service-time")
CURRENT_ATTEMPT: ContextVar[RequestAttempt] = ContextVar("CURRENT_ATTEMPT")
"""The request that the present task sends."""


class Wire(httpx2.AsyncClient):
    """An HTTP client whose time-out is over a request as a whole.

    httpx2's own bound the pauses between bytes, and a server that drips them would outlive any. Rate limits are waited
    out here; openai's client never sees them. Texts go to the declared address and to no other: a redirect is followed
    within its origin only.

    Args:
        timeout_s: Seconds for one attempt, from connecting to the last byte.
        pace: Waits while a rate limit lasts.
        options: As `httpx2.AsyncClient` takes them.
    """

    def __init__(self, timeout_s: float, pace: Pace, **options: Any) -> None:
        super().__init__(timeout=None, follow_redirects=False, **options)
        self._timeout_s, self._pace = timeout_s, pace

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request and read its answer whole.

        Raises:
            httpx2.RequestError: No answer, or none in time.
            OpenAIError: It may not be sent again, for want of money.
        """
        attempt = CURRENT_ATTEMPT.get(None)
        if attempt is None or request.method != "POST":  # no question to the model: the list of models
            return await self._within(min(self._timeout_s, _LIST_S), request, **options)
        while True:
            await self._pace.wait()
            response = await self._attempted(attempt, request, **options)
            if not self._sent_again(response):
                return response
            attempt.waits += 1

    def _sent_again(self, response: httpx2.Response) -> bool:
        """Whether a rate limit refused the request, and waiting is worth it. What is final is marked for openai."""
        if response.status_code < 300:
            self._pace.answered()
        wait_s = requested_wait_s(response.headers, response.text, time.time()) if response.status_code >= 400 else None
        limit = response.status_code == 429 or (response.status_code in _OVERLOADED and wait_s is not None)
        if not limit:
            return False
        if not (wait_s is None and out_of_quota(response.text)) and self._pace.limited(wait_s):
            return True
        response.headers["x-should-retry"] = "false"
        return False

    async def _attempted(self, attempt: RequestAttempt, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if not attempt.start():
            raise OpenAIError("no money is left to send the request again")
        request.extensions["trace"] = attempt.trace
        try:
            raw = await self._within(self._timeout_s, request, **options)
        except httpx2.RequestError:
            attempt.lose()
            raise
        response = readable(raw)
        if response.status_code >= 400:
            attempt.charge(raw.content)
        if response.status_code == 502:
            attempt.lose()
        else:
            attempt.complete(response.headers)
        return response

    async def _within(self, timeout_s: float, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_MOST_REDIRECTS):
                    response = await self._read(request, **options)
                    there = response.headers.get("location") if response.status_code in _MOVED else None
                    if there is None:
                        return response
                    try:
                        request = _moved(request, there)
                    except ValueError as error:
                        return _refusal(str(error), request)
                return _refusal(f"it redirects more than {_MOST_REDIRECTS} times", request)
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no whole answer within {timeout_s:g} s", request=request) from None

    async def _read(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The response with its body, which is bounded in size and is read as UTF-8.

        A charset of the server's choice may name any codec of Python: one that inflates, or takes minutes.
        """
        response = await super().send(request, **{**options, "stream": True})
        try:
            content = await read_body(response)
        except ValueError as error:
            return _refusal(str(error), request)
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _REWRITTEN]
        headers.append(("content-type", "application/json"))
        return httpx2.Response(response.status_code, headers=headers, content=content, request=request)


def _refusal(message: str, request: httpx2.Request) -> httpx2.Response:
    """What stands for an answer that is not taken; openai's client does not send it again."""
    content = {"error": {"message": message, "code": UNREADABLE}}
    return httpx2.Response(421, json=content, request=request)


def _moved(request: httpx2.Request, location: str) -> httpx2.Request:
    """The same request at the address that a redirect names.

    Raises:
        ValueError: It is of another origin, or no address.
    """
    try:
        url = request.url.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise ValueError(f"it redirects to {location[:80]!r}, which is no address") from None
    if (url.scheme, url.host, url.port) != (request.url.scheme, request.url.host, request.url.port):
        origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"[:200]
        raise ValueError(f"it redirects to {origin}; texts are sent to the declared address and to no other")
    return httpx2.Request(
        request.method, url, headers=request.headers, content=request.content, extensions=request.extensions
    )


def open_client(spec: LanguageModelSpec, key: str | None, pace: Pace) -> AsyncOpenAI:
    """The openai client of an endpoint, which waits as a pace says while a rate limit lasts.

    Proxies of the environment are used, except to this machine. Organisation and project of the environment go to
    OpenAI alone.
    """
    host = urlsplit(spec.endpoint or "").hostname or ""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=spec.concurrency, keepalive_expiry=_KEEP_S)
    headers = {"Accept-Encoding": "gzip"}  # what it inflates to is bounded
    wire = Wire(spec.timeout_s, pace, headers=headers, limits=limits, trust_env=not is_loopback(host))
    client = AsyncOpenAI(
        api_key=key or _NO_KEY,
        admin_api_key="",
        base_url=spec.endpoint,
        max_retries=spec.retries,
        timeout=None,
        http_client=wire,
    )
    if host != "api.openai.com":
        client.organization = client.project = None
    return client


@dataclass(eq=False)
class RequestAttempt:
    """One per request, over all its attempts.

    Attributes:
        budget: Who pays.
        reservation: What is reserved for the attempt under way; None when an earlier one used it up.
        most_usd: What an attempt may cost at most; None without a price.
        in_flight: Whether an attempt is under way, rather than waiting to be sent again.
        unaffordable: Whether it was not sent again for want of money.
        timing: Of the last attempt that was answered.
        waits: Times that a rate limit was waited out.
        price: Of the tokens that attempts without an answer are charged for.
        charged: What those took that a server charged all the same.
    """

    budget: Budget
    reservation: Reservation | None
    most_usd: Usd | None = None
    in_flight: bool = False
    unaffordable: bool = False
    timing: Timing = UNTIMED
    waits: int = 0
    price: TokenPrice | None = None
    charged: list[Usage] = field(default_factory=list)
    _begun: float = 0.0
    _marks: dict[str, float] = field(default_factory=dict)

    def start(self) -> bool:
        """An attempt begins. Returns False when an earlier one was lost or charged and no money is left for another."""
        if self.reservation is None:
            self.reservation = self.budget.reserve(self.most_usd)
            self.unaffordable = self.reservation is None
        self.in_flight = not self.unaffordable
        self._marks.clear()
        self._begun = time.perf_counter()
        return self.in_flight

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """A step of the transport, as httpx2's extension `trace` tells it: `http11.send_request_body.complete`."""
        self._marks[event.partition(".")[2]] = time.perf_counter()

    def complete(self, headers: Mapping[str, str]) -> None:
        """The attempt was answered to the last byte."""
        self.in_flight = False
        self.timing = timing_of(self._marks, self._begun, time.perf_counter(), headers)

    def lose(self) -> None:
        """The attempt ended without an answer that can be read; if it was sent, it may be charged."""
        self.in_flight = False
        if self.reservation is not None and "send_request_headers.started" in self._marks:
            self.budget.lose(self.reservation)
            self.reservation = None

    def charge(self, content: bytes) -> None:
        """The attempt was answered with an error; where that reports tokens, they are paid for."""
        try:
            body = parse_json(content)
        except ValueError:
            return
        usage = read_usage(body) if isinstance(body, dict) else Usage()
        if usage.input_tokens is not None:
            usage = replace(usage, output_tokens=usage.output_tokens or 0)
            self.charged.append(usage)
            self.settle(usage.usd(self.price))

    def settle(self, usd: Usd | None, estimated: bool = False) -> None:
        """The request was answered, for so much."""
        if self.reservation is not None:
            self.budget.settle(self.reservation, usd, estimated)
            self.reservation = None

    def end(self) -> None:
        """Nothing more is sent. What is still in the air, because it was broken off, counts as lost."""
        if self.in_flight:
            self.lose()
        if self.reservation is not None:
            self.budget.release(self.reservation)
            self.reservation = None


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
    server = server_ms(headers)
    if server is not None:
        parts["server"] = min(server, parts.get("wait", server))
    return Timing((ended - begun) * 1000, parts)


def server_ms(headers: Mapping[str, str]) -> float | None:
    """Milliseconds that a server says it worked; None when it does not say.

    Source: W3C Server Timing for `server-timing`, of which the longest metric counts: metrics may overlap, and a total
    is the longest; the other headers are what OpenAI, gateways and Envoy send.
    """
    for name in _SERVER_TIME_HEADERS:
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
