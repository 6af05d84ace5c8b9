"""The HTTP client below openai's: a time-out over the whole request, its steps timed, bodies that can be read."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, OpenAIError

from tailtune.config.prompting import LanguageModelSpec
from tailtune.services.endpoint.flight import FLIGHT, Flight

UNREADABLE = "unreadable_body"
_KEEP_S = 60.0
_LIST_S = 10.0
_NO_KEY = "none"


class Wire(httpx2.AsyncClient):
    """An HTTP client whose time-out is over a request as a whole.

    httpx2's own bound the pauses between bytes, and a server that drips them would outlive any. A body that is not the
    JSON object that the protocol asks for becomes a 502, which openai's client sends again like any other.

    Args:
        timeout_s: Seconds for one attempt, from connecting to the last byte.
        options: As `httpx2.AsyncClient` takes them.
    """

    def __init__(self, timeout_s: float, **options: Any) -> None:
        super().__init__(timeout=None, follow_redirects=True, **options)
        self._timeout_s = timeout_s

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request and read its answer whole.

        Raises:
            httpx2.RequestError: No answer, or none in time.
            OpenAIError: It may not be sent again, for want of money.
        """
        flight = FLIGHT.get(None)
        if flight is None or request.method != "POST":  # no question to the model: the list of models
            return await self._within(min(self._timeout_s, _LIST_S), request, **options)
        if not flight.depart():
            raise OpenAIError("no money is left to send the request again")
        request.extensions["trace"] = flight.hear
        try:
            response = await self._within(self._timeout_s, request, **options)
        except httpx2.RequestError:
            flight.lose()
            raise
        return _readable(response, flight)

    async def _within(self, timeout_s: float, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await super().send(request, **options)
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no whole answer within {timeout_s:g} s", request=request) from None


def open_client(spec: LanguageModelSpec, key: str | None) -> AsyncOpenAI:
    """The openai client of an endpoint.

    Proxies of the environment are used, except to this machine. Organisation and project of the environment go to
    OpenAI alone.
    """
    host = urlsplit(spec.endpoint or "").hostname or ""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=spec.concurrency, keepalive_expiry=_KEEP_S)
    wire = Wire(spec.timeout_s, limits=limits, trust_env=not _loopback(host))
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


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _readable(response: httpx2.Response, flight: Flight) -> httpx2.Response:
    """The response, or a 502 in its place."""
    wrong = fault_of(response.content) if response.status_code < 300 else ""
    if not wrong:
        flight.land(response.headers)
        return response
    flight.lose()
    return httpx2.Response(502, json={"error": {"message": wrong, "code": UNREADABLE}}, request=response.request)


def fault_of(content: bytes) -> str:
    """What keeps the body of an answer from being one; empty when nothing does.

    Gateways tell some failures of the server behind them in a 200: an `error`, no `choices`, or one that ended in an
    error. Taken for answers they would count as wrong, and be kept.
    """
    try:
        body = json.loads(content)
    except ValueError:
        return f"its answer is not JSON: {_begin(content)}"
    if not isinstance(body, dict):
        return f"its answer is not a JSON object: {_begin(content)}"
    if body.get("error") and not body.get("choices"):
        error = body["error"]
        return str(error.get("message") or error) if isinstance(error, dict) else str(error)
    choices = body.get("choices")
    if "choices" in body or "object" not in body:  # lists of models have an object and no choices
        if not isinstance(choices, list) or not choices:
            return f"it has no choices: {_begin(content)}"
        if isinstance(choices[0], dict) and (choices[0].get("error") or choices[0].get("finish_reason") == "error"):
            return f"it ended in an error: {_begin(content)}"
    return ""


def _begin(content: bytes) -> str:
    text = " ".join(content[:200].decode("utf-8", "replace").split())
    return repr(text[:80]) if text else "it is empty"
