"""The edges of the application: paths, tokens, bodies that are too large, too slow or never end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tailtune.serving.plan import Limits
from tailtune.serving.tokens import add_token

from .fake import FakeAnswerer, Server, check_sums, server

OPEN = ["/healthz", "/readyz", "/docs", "/openapi.json"]


def piece(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_may_come_in_pieces(tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer()) as made:
            back = await made.messages("/predict", [piece(b'{"text"'), piece(b': "a login"}', False)])
            assert back.json["answers"][0]["answer"] == "login"

    asyncio.run(play())


def test_a_body_that_is_too_large_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), limits=Limits(body_bytes=100)) as made:
            back = await made.ask("/predict", b"", headers={"content-length": "101"})
            assert (back.status, back.code) == (413, "too_large")
            back = await made.messages("/predict", [piece(b"a" * 60), piece(b"a" * 60)])
            assert (back.status, back.code) == (413, "too_large")
            back = await made.ask("/predict", {"text": "a login"}, headers={"content-length": "²"})
            assert back.status == 200
            check_sums(made.counts())
            assert made.counts()["failed_rows"] == 2

    asyncio.run(play())


def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), limits=Limits(body_s=0.01)) as made:
            back = await made.messages("/predict", [piece(b"{")])
            assert (back.status, back.code) == (408, "slow")
            check_sums(made.counts())

    asyncio.run(play())


def test_a_client_that_leaves_gets_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer()) as made:
            assert (await made.messages("/predict", [piece(b"{"), {"type": "http.disconnect"}])).status == 0

    asyncio.run(play())


def test_a_token_is_needed_where_there_are_any(tmp_path: Path) -> None:
    token = add_token(tmp_path / "tokens.json", "shop")

    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), tokens=tmp_path / "tokens.json") as made:
            for wrong in ({}, {"authorization": "Bearer nonsense"}, {"authorization": f"Basic {token}"}):
                back = await made.ask("/predict", {"text": "a login"}, headers=wrong)
                assert (back.status, back.code, back.headers["www-authenticate"]) == (401, "token", "Bearer")
            back = await made.ask("/predict", {"text": "a login"}, headers={"authorization": f"Bearer {token}"})
            assert back.status == 200
            assert [row["client"] for row in made.rows()] == ["shop"]
            assert [(await made.ask(path, method="GET")).status for path in OPEN] == [200] * len(OPEN)
            assert (await made.ask("/metrics", method="GET")).status == 401
            check_sums(made.counts())

    asyncio.run(play())


def test_what_is_there_is_said(tmp_path: Path) -> None:
    async def play(made: Server) -> None:
        back = await made.ask("/version", method="GET")
        assert back.json == {"use_case": "inbox", "task": "classification", "champion": "3", "challenger": None}
        assert (await made.ask("/v1/models", method="GET")).json["data"][0]["id"] == "inbox"
        assert (await made.ask("/readyz", method="HEAD")).status == 200
        paths = (await made.ask("/openapi.json", method="GET")).json["paths"]
        assert {"/predict", "/invocations", "/v1/chat/completions", "/feedback"} <= paths.keys()
        page = (await made.ask("/docs", method="GET")).body.decode()
        assert all(path in page for path in paths)
        assert "YOUR_LABEL" in page, "no label that a server refuses stands there as if it were one"
        back = await made.ask("/metrics", method="GET")
        assert "tailtune_answer_seconds_bucket" in back.body.decode()

    async def scenario() -> None:
        async with server(tmp_path, FakeAnswerer()) as made:
            await play(made)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 81, "a\nb"])
def test_a_strange_request_id_is_not_taken_over(name: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer()) as made:
            back = await made.ask("/predict", {"text": "a login"}, headers={"x-request-id": name})
            assert back.headers["x-request-id"] == back.json["request_id"] != name

    asyncio.run(play())


@pytest.mark.parametrize("is_private", [True, False])
def test_strangers_are_not_told_where_things_are(is_private: bool, tmp_path: Path) -> None:
    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), only_this_machine=is_private) as made:
            made.versions.problem = "sqlite:////srv/store.db: it has gone"
            problem = (await made.ask("/readyz", method="GET")).json["problem"]
            assert ("/srv/store.db" in problem, bool(problem)) == (is_private, True)

    asyncio.run(play())
