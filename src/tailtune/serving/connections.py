"""Connections of clients: uvicorn's, with bounds on how long a request may come and an answer may wait to be read."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tailtune.serving.plan import Limits


class Connection(HttpToolsProtocol):
    """One per connection of a client.

    uvicorn waits for ever for the headers of a request, keeps as many of them as are sent, reads on after a refusal
    whatever comes as its body, and keeps an answer until it is read. While a request is answered, its time is the
    application's affair.
    """

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._unasked_bytes = 0
        self._late: asyncio.TimerHandle | None = None
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, as far as a request may take."""
        was_waiting = self._late is not None
        super().data_received(data)
        if self._is_asked or self.transport.is_closing():
            self._end_wait()
            return
        self._unasked_bytes += len(data) if was_waiting else 0
        if self._unasked_bytes > self.limits.headers_bytes:
            self._refuse(b"431 Request Header Fields Too Large")
        elif not was_waiting:  # something comes after an answer: more of a refused body, or the next request
            self._wait()

    def on_response_complete(self) -> None:
        """An answer has been handed to the system; a client that does not read it is not waited for for ever."""
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(self.limits.write_s, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing comes; with it goes an answer that nobody has read."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end_wait()
        super().connection_lost(exc)

    @property
    def _is_asked(self) -> bool:
        """Whether a request has come that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._unasked_bytes = 0
        self._late = self.loop.call_later(self.limits.headers_s, self._refuse, b"408 Request Timeout")

    def _end_wait(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: bytes) -> None:
        """Say why, and close; who sends no headers has nothing to be told, or has been told already."""
        self._end_wait()
        if self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope):
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


def bounded(most: Limits) -> type[asyncio.Protocol]:
    """Connections with these limits, as uvicorn's option `http` takes them."""

    class BoundedConnection(Connection):
        limits = most

    return BoundedConnection
