"""Connections over real sockets: whose headers never end, whose refused body goes on, or who never reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tailtune.serving.connections import bounded
from tailtune.serving.plan import Limits

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SHORT = Limits(headers_s=0.05, headers_bytes=1000, write_s=0.05)


async def hello(scope: Any, receive: Any, send: Any, body: bytes = b"hello") -> None:
    """An application that answers without reading what is sent."""
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


async def much(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send, bytes(32_000_000))


@asynccontextmanager
async def connected(limits: Limits, app: Any = hello, keep_s: int = 30) -> AsyncIterator[tuple[Streams, ServerState]]:
    loop, state = asyncio.get_running_loop(), ServerState()
    config = uvicorn.Config(app, http=bounded(limits), lifespan="off", log_config=None, timeout_keep_alive=keep_s)
    config.load()
    made: Any = config.http_protocol_class
    serving = await loop.create_server(lambda: made(config, state, {}, loop), "127.0.0.1", 0)
    async with serving:
        streams = await asyncio.open_connection(*serving.sockets[0].getsockname())
        try:
            yield streams, state
        finally:
            streams[1].close()


def play(scenario: Callable[..., Awaitable[None]], limits: Limits, app: Any = hello, keep_s: int = 30) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), connected(limits, app, keep_s) as (streams, state):
            await scenario(*streams, state)

    asyncio.run(run())


async def trickle(writer: asyncio.StreamWriter, what: bytes = b"a") -> None:
    """Send a byte now and then, as long as the other side takes them."""
    with pytest.raises((ConnectionError, asyncio.CancelledError)):
        while True:
            writer.write(what)
            await writer.drain()
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("before", [b"", REQUEST])
def test_headers_that_come_byte_by_byte_are_given_up(before: bytes) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        writer.write(before)
        if before:
            await reader.readuntil(b"hello")
        writer.write(b"GET / HTTP/1.1\r\nslow: ")
        sending = asyncio.create_task(trickle(writer))
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        with suppress(ConnectionResetError):
            await reader.read()
        sending.cancel()
        await sending
        assert not state.connections

    play(scenario, SHORT)


def test_a_client_that_says_nothing_is_let_go() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        assert await reader.read() == b""
        assert not state.connections

    play(scenario, SHORT)


def test_headers_without_an_end_are_refused_before_they_fill_the_memory() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        writer.write(b"GET / HTTP/1.1\r\nlong: " + b"a" * 2000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")

    play(scenario, Limits(headers_bytes=1000))


def test_the_body_of_an_answered_request_is_not_read_for_ever() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        await reader.readuntil(b"hello")
        sending = asyncio.create_task(trickle(writer))
        with suppress(ConnectionResetError):
            assert await reader.read() == b"", "it has its answer, and gets no other"
        sending.cancel()
        await sending

    play(scenario, SHORT)


@pytest.mark.parametrize("more", [b"", b"connection: close\r\n"])
def test_an_answer_that_nobody_reads_is_let_go(more: bytes) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + more + b"\r\n")
        await reader.readline()
        assert state.connections
        while state.connections:
            await asyncio.sleep(0.005)

    play(scenario, SHORT, much, keep_s=0)


def test_requests_in_time_are_answered_one_after_another() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState) -> None:
        for _ in range(3):
            writer.write(REQUEST[:5])
            await asyncio.sleep(0)
            writer.write(REQUEST[5:] + REQUEST)
            await reader.readuntil(b"hello")
            await reader.readuntil(b"hello")
        assert len(state.connections) == 1

    play(scenario, Limits())
