"""Passing a client's request through to the declared language model, unchanged, priced and within the day's limit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tailtune.config.prices import TokenPrice
from tailtune.core.errors import SpentError, UpstreamError
from tailtune.core.money import Usd
from tailtune.services.endpoint import Reservation, read_usage
from tailtune.serving.passed import AnswerReader
from tailtune.serving.plan import Upstream
from tailtune.serving.spending import ServedBudget

_BYTES_A_TOKEN = 2  # fewer than any tokenizer needs on average, so that a reservation is rarely too small
_USUAL_ANSWER = 1024
_KEPT = ("content-type", "retry-after", "openai-processing-ms")
_OWN = ("authorization", "openai-organization", "openai-project")
"""Headers of a client that pays with a key of its own."""


@dataclass
class Passed:
    """One per request that is passed through.

    Attributes:
        status: HTTP status of the endpoint's answer.
        headers: Those of its headers that the client gets.
        body: Its body, as it comes.
        until: When the whole answer has to be there, by the clock of the event loop.
        usd: What it cost; None until the body has ended, and where it is not known.
        content: Text of the answer, where all of it could be read.
    """

    status: int
    headers: dict[str, str]
    body: AsyncGenerator[bytes]
    until: float
    usd: Usd | None = None
    content: str | None = None


class Gateway:
    """One per worker: the connection to the declared model.

    Args:
        upstream: The model.
        budget: Who pays.
        most: Requests in flight at most.
    """

    def __init__(self, upstream: Upstream, budget: ServedBudget, most: int) -> None:
        self._upstream, self._budget = upstream, budget
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
        self._client = httpx2.AsyncClient(timeout=upstream.timeout_s, limits=limits, follow_redirects=False)
        self._most, self.in_flight = most, 0

    @property
    def is_full(self) -> bool:
        """Whether no further request may be in flight."""
        return self.in_flight >= self._most

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(
        self, raw: bytes, headers: Mapping[str, str], most_tokens: int | None, price: TokenPrice | None
    ) -> Passed:
        """Send a request's body as the client wrote it.

        Args:
            raw: The body.
            headers: The client's, for an endpoint whose key is not declared here; empty where they are none of its.
            most_tokens: Of all answers together, as the request says; None where it does not.
            price: Of the model that it names.

        Raises:
            SpentError: The day's limit is reached; nothing was sent.
            UpstreamError: No answer.
        """
        reserved = self._reserve(len(raw), most_tokens, price)
        until = asyncio.get_running_loop().time() + self._upstream.timeout_s
        self.in_flight += 1
        try:
            request = self._client.build_request(
                "POST",
                f"{self._upstream.endpoint.rstrip('/')}/chat/completions",
                content=raw,
                headers=self._headers(headers),
            )
            async with asyncio.timeout_at(until):
                response = await self._client.send(request, stream=True)
        except (httpx2.TimeoutException, TimeoutError):
            self._end(reserved, None)
            raise UpstreamError(f"no answer within {self._upstream.timeout_s:g} s", late=True) from None
        except httpx2.RequestError as error:
            self._end(reserved, 0.0 if isinstance(error, httpx2.ConnectError) else None)
            raise UpstreamError(type(error).__name__) from None
        except BaseException:
            self._end(reserved, None)
            raise
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        if "x-request-id" in response.headers:
            kept["x-upstream-request-id"] = response.headers["x-request-id"]
        passed = Passed(response.status_code, kept, iter(()), until)  # type: ignore[arg-type]
        passed.body = self._read(response, passed, reserved, price)
        return passed

    async def whole(self, pieces: AsyncGenerator[bytes], until: float) -> bytes:
        """All of an answer.

        Args:
            pieces: Of it.
            until: When it has to be there: a request takes the model's `timeout_s` at most.

        Raises:
            UpstreamError: It broke off, or took longer than it may.
        """
        try:
            async with asyncio.timeout_at(until):
                return b"".join([piece async for piece in pieces])
        except TimeoutError:
            raise UpstreamError(f"no whole answer within {self._upstream.timeout_s:g} s", late=True) from None

    async def _read(
        self, response: httpx2.Response, passed: Passed, reserved: Reservation, price: TokenPrice | None
    ) -> AsyncGenerator[bytes]:
        reader = AnswerReader(passed.headers.get("content-type", ""))
        try:
            async for piece in response.aiter_bytes():
                reader.take(piece)
                yield piece
        except httpx2.RequestError as error:
            raise UpstreamError(type(error).__name__, late=isinstance(error, httpx2.TimeoutException)) from None
        finally:
            usage, passed.content = reader.outcome()
            passed.usd = _cost(usage, price) if passed.status < 400 or usage else 0.0
            self._end(reserved, passed.usd)
            await response.aclose()

    def _headers(self, client: Mapping[str, str]) -> dict[str, str]:
        key_env = self._upstream.key_env
        if key_env:
            key = os.environ.get(key_env)
            own = {"authorization": f"Bearer {key}"} if key else {}
        else:
            own = {name: client[name] for name in _OWN if name in client}
        return {"content-type": "application/json"} | own

    def _reserve(self, size: int, most_tokens: int | None, price: TokenPrice | None) -> Reservation:
        written = _USUAL_ANSWER if most_tokens is None else max(1, most_tokens)
        most = _cost({"prompt_tokens": size // _BYTES_A_TOKEN, "completion_tokens": written}, price)
        reserved = self._budget.reserve(most)
        if reserved is None:
            raise SpentError
        return reserved

    def _end(self, reserved: Reservation, cost: Usd | None) -> None:
        self.in_flight -= 1
        self._budget.settle(reserved, cost)


def _cost(usage: Mapping[str, Any] | None, price: TokenPrice | None) -> Usd | None:
    """US dollars; None where tokens or prices are not known."""
    return None if usage is None else read_usage({"usage": usage}).usd(price)
