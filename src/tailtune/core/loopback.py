"""Which requests to a server of this machine come from this machine, although a browser sends them.

Any page may let a browser send a request to 127.0.0.1. It cannot read the answer, but what the request does is done.
And a page whose owner lets its name point to 127.0.0.1 (DNS rebinding) can read the answer, too. Browsers say in the
headers `Host` and `Origin` what the page calls the server and where the page is from.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGI = Callable[[Any, Any, Any], Awaitable[None]]

_SHOWN = 80


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine: `localhost`, names below it, 127.0.0.0/8, ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def sent_from_elsewhere(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What shows that a page of another machine sent a request; empty where nothing does.

    Programs send no `Origin`, and as `Host` what they were told to ask.

    Args:
        headers: Names in lower case, as ASGI has them.

    Returns:
        The header, `origin https://example.com`, shortened.
    """
    for name, value in headers:
        text = value.decode("latin-1")
        if (name == b"host" and not _is_here(f"//{text}")) or (name == b"origin" and not _is_here(text)):
            return f"{name.decode()} {text[:_SHOWN]}"
    return ""


def _is_here(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False


class OnlyThisMachine:
    """An ASGI application that refuses what pages of other machines send, and hands on the rest.

    Args:
        app: Listens on loopback.
    """

    def __init__(self, app: ASGI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io."""
        shown = sent_from_elsewhere(scope.get("headers", ()))
        if not shown:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = json.dumps({"detail": f"{shown}: only programs and pages of this machine may ask"}).encode()
            start = {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]}
            await send(start)
            await send({"type": "http.response.body", "body": body})
