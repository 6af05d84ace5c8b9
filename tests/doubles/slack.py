"""A server that speaks the protocol of Slack's incoming webhooks, well or badly, and keeps what it took.

    with Slack() as slack:
        slack.badly = Mishap("status", 500)      # every request from now on; None is well again
        slack.coming.append(Mishap("hang up"))   # the next one only
        Webhook("TAILTUNE_SLACK_WEBHOOK", slack.url).post({"text": "hello"})
        slack.taken                              # bodies that were answered with 200 ok

It takes any JSON at `json_url`, as other webhooks do.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from doubles.block_kit import faults
from doubles.loopback import Loopback

SECRET = "T0ABCDEF/B0GHIJKL/aVerySecretToken123456"
Kind = Literal["status", "hang", "hang up", "drip", "take and hang up"]


@dataclass(frozen=True)
class Mishap:
    """One per request that goes wrong.

    Attributes:
        kind: status answers with one; hang says nothing; hang up closes the connection; drip sends a byte now and then;
            take and hang up takes the message and closes the connection before it says so.
        status: Of kind status.
        body: Of kind status.
        headers: Of kind status.
    """

    kind: Kind = "status"
    status: int = 500
    body: str = "server_error"
    headers: Mapping[str, str] = field(default_factory=dict)


class Slack(Loopback):
    """The server, on a free port of this machine; a context manager.

    Attributes:
        url: Address of a webhook; its path is a secret.
        json_url: Address that takes any JSON.
        badly: What goes wrong with every request; None for nothing.
        coming: What goes wrong with the next requests, in order.
        requests: How many came, whatever came of them.
        taken: Bodies that it took, in order.
    """

    def __init__(self) -> None:
        self.badly: Mishap | None = None
        self.coming: deque[Mishap] = deque()
        self.requests = 0
        self.taken: list[dict[str, Any]] = []
        super().__init__(_Handler)
        self.url, self.json_url = f"{self.root}/services/{SECRET}", f"{self.root}/json/{SECRET}"

    def __enter__(self) -> Slack:
        super().__enter__()
        return self

    def next_mishap(self) -> Mishap | None:
        with self.lock:
            self.requests += 1
            return self.coming.popleft() if self.coming else self.badly

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """Take a body, or refuse it in Slack's words."""
        if path == f"/services/{SECRET}":
            wrong = faults(body)
            if wrong:
                return 400, "no_text" if "no_text" in wrong else "invalid_blocks"
        elif path != f"/json/{SECRET}":
            return 404, "no_service"
        with self.lock:
            self.taken.append(body)
        return 200, "ok"


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_: Any) -> None:
        """Says nothing: tests read what was taken."""

    def do_GET(self) -> None:
        self._send(405, "method_not_allowed", {})  # where a redirect that was followed arrives

    def do_POST(self) -> None:
        slack = self.server.double
        content = self.rfile.read(int(self.headers["content-length"]))
        mishap = slack.next_mishap()
        if mishap is None or mishap.kind == "take and hang up":
            status, text = slack.answer(self.path, json.loads(content))
            if mishap is None:
                self._send(status, text, {})
        elif mishap.kind == "status":
            self._send(mishap.status, mishap.body, mishap.headers)
        elif mishap.kind == "hang":
            slack.closing.wait()
        elif mishap.kind == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            while not slack.closing.wait(0.05):
                self.wfile.write(b"o")

    def _send(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        body = text.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
