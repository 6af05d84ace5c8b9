"""A page that a browser shows asks a server of this machine: by any address, by a name that it lets point here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from serving.fake import FakeAnswerer, check_sums, server

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.loopback import OnlyThisMachine, is_loopback, sent_from_elsewhere
from tailtune.operations.servers import laptop
from tailtune.serving.tokens import add_token

HERE: list[dict[str, str]] = [
    {},
    {"host": "127.0.0.1:8080"},
    {"host": "localhost"},
    {"host": "LOCALHOST:8080"},
    {"host": "[::1]:8080"},
    {"host": "127.0.0.1:8080", "origin": "http://localhost:3000"},
    {"host": "app.localhost:8080", "origin": "http://app.localhost:8080"},
]
ELSEWHERE: list[dict[str, str]] = [
    {"host": "evil.example:8080"},
    {"host": "127.0.0.1.evil.example"},
    {"host": "10.evil.example:8080"},
    {"host": "localhost.evil.example"},
    {"host": "evillocalhost"},
    {"host": "192.168.0.7:8080"},
    {"host": ""},
    {"host": "["},
    {"host": "127.0.0.1:8080", "origin": "https://evil.example"},
    {"host": "127.0.0.1:8080", "origin": "null"},
    {"host": "127.0.0.1:8080", "origin": "http://localhost@evil.example"},
    {"host": "127.0.0.1:8080", "origin": "file://"},
    {"host": "evil.example", "origin": "http://localhost:8080"},
]
PATHS = [
    ("POST", "/predict"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/invocations"),
    ("POST", "/feedback"),
    ("GET", "/v1/models"),
    ("GET", "/version"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/docs"),
]
TEXT = {"text": "a login"}


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize("headers", HERE, ids=str)
def test_this_machine_asks(headers: dict[str, str]) -> None:
    assert sent_from_elsewhere(encoded(headers)) == ""


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_a_page_of_elsewhere_is_told_from_this_machine(headers: dict[str, str]) -> None:
    assert sent_from_elsewhere(encoded(headers))


def test_one_of_two_hosts_is_enough() -> None:
    assert sent_from_elsewhere([(b"host", b"localhost"), (b"host", b"evil.example")]) == "host evil.example"


def test_loopback_has_many_names() -> None:
    assert all(map(is_loopback, ("localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "example.com", "localhost.example.com", "10.0.0.1")))


def test_a_server_without_tokens_answers_no_such_page(tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), only_this_machine=True) as made:
            for headers in ({"host": "evil.example:8080"}, {"host": "127.0.0.1", "origin": "https://evil.example"}):
                for method, path in PATHS:
                    back = await made.ask(path, TEXT, method, headers)
                    assert (back.status, back.code) == (403, "elsewhere"), (method, path)
            assert "tailtune token add inbox" in back.json["error"]["message"]
            assert made.rows() == []
            assert (await made.ask("/predict", TEXT, headers={"host": "127.0.0.1:8080"})).status == 200
            check_sums(made.counts())

    asyncio.run(play())


def test_a_token_or_a_proxy_keeps_strangers_out_itself(tmp_path: Path) -> None:
    token = add_token(tmp_path / "tokens.json", "shop")
    headers = {"host": "tickets.example.com", "origin": "https://example.com", "authorization": f"Bearer {token}"}

    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), tokens=tmp_path / "tokens.json") as made:
            assert (await made.ask("/predict", TEXT, headers=headers)).status == 200

    asyncio.run(play())


def sent_by(kind: str, headers: Mapping[str, str]) -> list[Any]:
    """What an application sends that would answer `answered`."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send("answered")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind} if kind == "lifespan" else {"type": kind, "headers": encoded(headers)}
    asyncio.run(OnlyThisMachine(app)(scope, None, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_an_application_of_this_machine_is_asked_by_no_such_page(headers: dict[str, str]) -> None:
    assert sent_by("http", headers)[0]["status"] == 403
    assert sent_by("websocket", headers) == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
def test_an_application_is_asked_by_this_machine(kind: str) -> None:
    assert sent_by(kind, {"host": "127.0.0.1:4200"}) == ["answered"]


def test_the_servers_of_a_machine_are_started_with_that_guard(tmp_path: Path) -> None:
    prefect, mlflow = (made(Paths(tmp_path), Settings()) for made in (laptop.prefect_server, laptop.mlflow_server))
    assert "tailtune.lifecycle.local_server:only_this_machine" in prefect.command
    hosts = mlflow.command[mlflow.command.index("--allowed-hosts") + 1].split(",")
    assert all(host.removesuffix(":*") in ("localhost", "127.0.0.1") for host in hosts)
