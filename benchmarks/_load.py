"""Load on an HTTP server: requests at a constant rate whatever it does, or a number of clients that each wait.

An answer's latency counts from the moment at which its request was due, also where all connections were busy: a server
that stands still for a second delays everything that was due meanwhile, and is seen to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import numpy as np


@dataclass(frozen=True)
class Load:
    """One per run.

    Attributes:
        rate: Requests a second that were due; 0 where clients waited for each other.
        seconds: From the first request to the last answer.
        sent: Requests.
        status: HTTP status → answers; 0 for connections that broke.
        p50_ms: Latency of the answers with status 200.
        late: Requests that were due and never sent, because no connection became free in time.
    """

    rate: float
    seconds: float
    sent: int
    status: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    late: int

    @property
    def errors(self) -> int:
        """Requests that were not answered with 200."""
        return sum(count for status, count in self.status.items() if status != "200") + self.late

    @property
    def answered_s(self) -> float:
        """Answers with status 200 a second."""
        return self.status.get("200", 0) / self.seconds


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; answers must name their length or come in chunks."""

    def __init__(self, run: _Run) -> None:
        self._run, self._buffer, self.due = run, b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._run.free(self)

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self.due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        if b"transfer-encoding: chunked" in head:
            whole = self._buffer.endswith(b"0\r\n\r\n")
        else:
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            whole = len(self._buffer) >= end + 4 + size
        if whole:
            status = self._buffer[9:12].decode()
            self._buffer = b""
            self._run.answered(self, status)

    def connection_lost(self, _: Exception | None) -> None:
        self._run.lost(self)


class _Run:
    """One per run of load."""

    def __init__(self, url: str, bodies: Sequence[bytes], headers: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self._requests = [
            f"POST {parts.path} HTTP/1.1\r\nhost: {self.host}\r\ncontent-type: application/json\r\n{headers}"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
            for body in bodies
        ]
        self._free: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._closed_loop = False
        self.sent, self.open = 0, True
        self.status: dict[str, int] = {}
        self.latencies: list[float] = []
        self.busy: set[_Connection] = set()

    def free(self, connection: _Connection) -> None:
        if self._closed_loop and self.open:
            self._send(connection, time.perf_counter())
        elif self._due:
            self._send(connection, self._due.popleft())
        else:
            self._free.append(connection)

    def ask(self, due: float) -> None:
        if self._free:
            self._send(self._free.popleft(), due)
        else:
            self._due.append(due)

    def answered(self, connection: _Connection, status: str) -> None:
        now = time.perf_counter()
        self.busy.discard(connection)
        self.status[status] = self.status.get(status, 0) + 1
        if status == "200":
            self.latencies.append(now - connection.due)
        self.free(connection)

    def lost(self, connection: _Connection) -> None:
        if connection in self.busy:
            self.busy.discard(connection)
            self.status["0"] = self.status.get("0", 0) + 1
        if connection in self._free:
            self._free.remove(connection)
        if self.open:
            asyncio.get_running_loop().create_task(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(100):
            try:
                await loop.create_connection(lambda: _Connection(self), self.host, self.port)
                return
            except OSError:
                await asyncio.sleep(0.05)

    def _send(self, connection: _Connection, due: float) -> None:
        self.busy.add(connection)
        connection.send(self._requests[self.sent % len(self._requests)], due)
        self.sent += 1

    async def at_rate(self, rate: float, seconds: float, connections: int) -> None:
        await asyncio.gather(*(self.connect() for _ in range(connections)))
        begun, number = time.perf_counter() + 0.05, 0
        while number < rate * seconds:
            now = time.perf_counter()
            while number < rate * seconds and begun + number / rate <= now:
                self.ask(begun + number / rate)
                number += 1
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await self._drain()

    async def by_clients(self, clients: int, seconds: float) -> None:
        self._closed_loop = True
        await asyncio.gather(*(self.connect() for _ in range(clients)))
        await asyncio.sleep(seconds)
        await self._drain()

    async def _drain(self) -> None:
        self._closed_loop = False
        deadline = time.perf_counter() + 15
        while (self.busy or self._due) and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        self.open = False
        self.late = len(self._due) + len(self.busy)


def run(url: str, bodies: Sequence[bytes], rate: float, seconds: float, connections: int, headers: str = "") -> Load:
    """Send load from this process.

    Args:
        url: What is posted to.
        bodies: Sent in turn.
        rate: Requests a second; 0 lets each connection wait for its answer.
        seconds: How long.
        connections: At most.
        headers: More of them, each with its line end.
    """
    import uvloop

    load = _Run(url, bodies, headers)
    begun = time.perf_counter()

    async def main() -> None:
        await (load.at_rate(rate, seconds, connections) if rate else load.by_clients(connections, seconds))

    uvloop.run(main())
    took = time.perf_counter() - begun
    times = np.array(load.latencies or [float("nan")]) * 1000
    p50, p95, p99 = (float(each) for each in np.percentile(times, [50, 95, 99]))
    return Load(rate, took, load.sent, load.status, p50, p95, p99, float(times.max()), load.late)


if __name__ == "__main__":  # a process of its own: url, rate, seconds, connections, file of bodies
    address, rate_, seconds_, connections_, file = sys.argv[1:6]
    lines = [line.encode() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    found = run(address, lines, float(rate_), float(seconds_), int(connections_))
    print(json.dumps(asdict(found)))
