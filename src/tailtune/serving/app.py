"""The server's ASGI application: the paths that are asked hundreds of times a second without a framework between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from tailtune.core.errors import ClientLeftError, RefusedError, UpstreamError
from tailtune.core.loopback import sent_from_elsewhere
from tailtune.serving.bodies import (
    FeedbackAnswer,
    FeedbackBody,
    InvocationsAnswer,
    InvocationsBody,
    PredictAnswer,
    PredictBody,
)
from tailtune.serving.chat import ChatBody
from tailtune.serving.counters import Counters
from tailtune.serving.current import ROLES, Versions
from tailtune.serving.plan import ServerPlan
from tailtune.serving.service import Incoming, Outgoing, Service, as_error, as_json
from tailtune.serving.tokens import Tokens

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Handler = Callable[[Incoming], Awaitable[Outgoing]]
_TEXT = "text/plain; charset=utf-8"
log = logging.getLogger("tailtune.serving")


@dataclass(frozen=True)
class Path:
    """One per path and method.

    Attributes:
        method: Of HTTP.
        path: As clients write it.
        summary: One line of the documentation.
        handler: Answers.
        body: What is sent; None where nothing is.
        answer: What comes back; None where that is no JSON of a fixed shape.
        is_open: Whether it needs no token.
        counted: As which endpoint its rows are counted; empty where it asks for no predictions.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    body: type | None = None
    answer: type | None = None
    is_open: bool = False
    counted: str = ""


class App:
    """One per worker process.

    Args:
        plan: What is declared.
        service: Answers.
        versions: Which versions answer.
        counters: Counts.
        close: Called once when the server ends.
    """

    def __init__(
        self,
        plan: ServerPlan,
        service: Service,
        versions: Versions,
        counters: Counters,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._plan, self._service, self._versions, self._counters = plan, service, versions, counters
        self._close = close
        self._tokens = None if plan.tokens is None else Tokens(plan.tokens)
        self._tasks: list[asyncio.Task[None]] = []
        self._counted_s = 0.0
        self.paths = (
            _asking(service, "predict", "/predict", "Answer one text or many.", PredictBody, PredictAnswer),
            _asking(
                service,
                "chat",
                "/v1/chat/completions",
                "Answer as OpenAI's API does, or pass the request through.",
                ChatBody,
            ),
            _asking(
                service,
                "invocations",
                "/invocations",
                "Answer as MLflow's own server does; JSON or CSV.",
                InvocationsBody,
                InvocationsAnswer,
            ),
            Path("GET", "/v1/models", "The use case, as OpenAI's API lists models.", service.models),
            Path(
                "POST", "/feedback", "Send the right answer to a text.", service.feedback, FeedbackBody, FeedbackAnswer
            ),
            Path("GET", "/healthz", "Whether the process runs.", self._health, is_open=True),
            Path("GET", "/readyz", "Whether a version, or a language model, answers.", self._ready, is_open=True),
            Path("GET", "/version", "Which version answers.", self._version),
            Path("GET", "/metrics", "What is counted, for Prometheus.", self._metrics),
            Path("GET", "/openapi.json", "This documentation, for programs.", self._openapi, is_open=True),
            Path("GET", "/docs", "This documentation, for people.", self._docs, is_open=True),
        )
        self._by_path = {(path.method, path.path): path for path in self.paths}
        self._known = {path.path for path in self.paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, path = time.perf_counter(), None
        try:
            path = self._path(scope["method"], scope["path"])
            self._require_from_here(scope)
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            client = self._client(path, headers)
            body = await self._body(headers, receive) if path.body else b""
            outgoing = await path.handler(Incoming.of(headers, body, client, began))
        except RefusedError as error:
            counted = path.counted if path else ""
            outgoing = self._service.refuse(counted, error) if counted else as_error(error)
        except ClientLeftError:
            return
        except Exception:
            log.exception("%s %s", scope["method"], scope["path"])
            outgoing = as_error(RefusedError(500, "error", "the server's fault; see its log"))
        await _send(outgoing, send, self._plan.limits.write_s)

    def _path(self, method: str, path: str) -> Path:
        found = self._by_path.get(("GET" if method == "HEAD" else method, path))
        if found is not None:
            return found
        if path in self._known:
            known = next(each.method for each in self.paths if each.path == path)
            raise RefusedError(405, "method", f"{path} is asked by {known}, not {method}", headers={"allow": known})
        raise RefusedError(404, "not_found", f"{path[:100]}: no such path; /docs lists them")

    def _require_from_here(self, scope: Scope) -> None:
        """Where nobody has to show a token, only this machine may ask, and no page of another one in its name.

        Raises:
            RefusedError: Such a page asks.
        """
        shown = sent_from_elsewhere(scope["headers"]) if self._plan.only_this_machine else ""
        if shown:
            others = f"for others: tailtune token add {self._plan.use_case} CLIENT, then start the server again"
            raise RefusedError(403, "elsewhere", f"{shown}: without tokens only this machine may ask; {others}")

    def _client(self, path: Path, headers: Mapping[str, str]) -> str:
        """Who asks.

        Raises:
            RefusedError: A token is needed, and this is none.
        """
        if self._tokens is None or path.is_open:
            return ""
        client = self._tokens.client(headers.get("authorization"))
        if client is None:
            expected = "expected `authorization: Bearer …` with a token of `tailtune token add`"
            raise RefusedError(401, "token", expected, headers={"www-authenticate": "Bearer"})
        return client

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The body, whole.

        Raises:
            RefusedError: It is too large, or comes too slowly.
        """
        limits, length = self._plan.limits, headers.get("content-length", "")
        most = limits.body_bytes
        pieces: list[bytes] = []
        size = 0
        if length.isdecimal() and int(length) > most:
            raise RefusedError(413, "too_large", f"a body of {int(length):,} bytes, at most {most:,}")
        try:
            async with asyncio.timeout(limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeftError
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > most:
                        raise RefusedError(413, "too_large", f"a body of more than {most:,} bytes")
                    if not message.get("more_body"):
                        return b"".join(pieces)
        except TimeoutError:
            raise RefusedError(408, "slow", f"the body did not come within {limits.body_s:g} s") from None

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start when the server starts, end when it ends."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._versions.look()
                self._tasks = [asyncio.create_task(self._versions.follow()), asyncio.create_task(self._measure())]
                await send({"type": "lifespan.startup.complete"})
            else:
                for task in self._tasks:
                    task.cancel()
                await self._close()
                self._count_time()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _measure(self) -> None:
        """Count processor time and what waits, once a second."""
        while True:
            self._count_time()
            loaded = self._versions.get("champion")
            self._counters.waiting.set(0 if loaded is None else loaded.line.waiting)
            self._counters.version.set(0 if loaded is None else float(loaded.named.version))
            await asyncio.sleep(1)

    def _count_time(self) -> None:
        now = time.process_time()
        self._counters.cpu.inc(now - self._counted_s)
        self._counted_s = now

    async def _health(self, request: Incoming) -> Outgoing:
        return as_json({"status": "runs"})

    async def _ready(self, request: Incoming) -> Outgoing:
        loaded = self._versions.get("champion")
        ready = loaded is not None or self._plan.upstream is not None
        status = {
            "ready": ready,
            "version": None if loaded is None else loaded.named.version,
            "passes_through_to": self._plan.upstream.name if self._plan.upstream else None,
            "problem": self._shown_problem(),
        }
        return as_json(status, 200 if ready else 503)

    def _shown_problem(self) -> str | None:
        """What is wrong; in words where nobody else may ask, as these name addresses and folders."""
        problem = self._versions.problem
        if problem and not self._plan.only_this_machine:
            return "a version is refused, or the registry is away; the server's log says why"
        return problem or None

    async def _version(self, request: Incoming) -> Outgoing:
        named = {role: self._versions.get(role) for role in ROLES}
        versions = {role: None if found is None else found.named.version for role, found in named.items()}
        return as_json({"use_case": self._plan.use_case, "task": self._plan.task, **versions})

    async def _metrics(self, request: Incoming) -> Outgoing:
        text = await asyncio.to_thread(self._counters.text)
        return Outgoing(200, text, {"content-type": _TEXT})

    async def _openapi(self, request: Incoming) -> Outgoing:
        from tailtune.serving.documentation import document

        return as_json(await asyncio.to_thread(document, self._plan, self.paths))  # FastAPI is imported for it

    async def _docs(self, request: Incoming) -> Outgoing:
        from tailtune.serving.documentation import page

        return Outgoing(200, page(self._plan, self.paths).encode(), {"content-type": "text/html; charset=utf-8"})


def _asking(service: Service, endpoint: str, path: str, summary: str, body: type, answer: type | None = None) -> Path:
    """A path that asks for predictions."""

    async def handler(request: Incoming) -> Outgoing:
        return await service.answer(endpoint, request)

    return Path("POST", path, summary, handler, body, answer, counted=endpoint)


async def _send(outgoing: Outgoing, send: Send, write_s: float) -> None:
    headers = [(name.encode(), value.encode()) for name, value in outgoing.headers.items()]
    if isinstance(outgoing.body, bytes):
        headers.append((b"content-length", str(len(outgoing.body)).encode()))
        await send({"type": "http.response.start", "status": outgoing.status, "headers": headers})
        await send({"type": "http.response.body", "body": outgoing.body})
        return
    await send({"type": "http.response.start", "status": outgoing.status, "headers": headers})
    # It broke off, or the client does not read it: the client sees that it has no end.
    with suppress(UpstreamError, TimeoutError):
        async with aclosing(outgoing.body) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(write_s):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
