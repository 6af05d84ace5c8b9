"""What pretended servers have in common: a free port of this machine, threads that end with the test."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class Loopback:
    """A server on a port of this machine; a context manager.

    Args:
        handler: Answers requests; finds this server as `self.server.double`.
        port: 0 takes a free one.

    Attributes:
        root: Address without a path.
        closing: Set when the server ends: what hangs on purpose waits for it.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), handler, self)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, at: tuple[str, int], handler: type[BaseHTTPRequestHandler], double: Loopback) -> None:
        self.double = double
        super().__init__(at, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are part of the game."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
