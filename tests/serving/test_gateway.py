"""Requests passed through: unchanged, with the right key, priced, within the day's money, and with clear ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from doubles.skill import always

from tailtune.config.prices import TokenPrice
from tailtune.serving.plan import Limits, Upstream
from tailtune.serving.tokens import add_token

from .fake import Answered, FakeAnswerer, Server, check_sums, server, spent, until

COMPLETIONS = "/v1/chat/completions"
CHAT = {"model": "gpt-big", "messages": [{"role": "user", "content": "one two three"}], "temperature": 0.5}
Scenario = Callable[[Server], Coroutine[Any, Any, None]]


PRICE = TokenPrice(input_usd_per_million=1.0, output_usd_per_million=2.0)


@pytest.fixture
def double() -> Any:
    with Double(always("billing")) as made:
        yield made


def upstream(url: str, **more: Any) -> Upstream:
    return Upstream(**{"name": "large", "model": "gpt-big", "endpoint": url, "price": PRICE, **more})


def run(
    folder: Path, to: Upstream, scenario: Scenario, answerer: FakeAnswerer | None = None, **declared: Any
) -> dict[str, float]:
    async def play() -> dict[str, float]:
        async with server(folder, answerer, upstream=to, **declared) as made:
            await scenario(made)
            check_sums(made.counts())
            return made.counts()

    return asyncio.run(play())


def test_a_request_goes_on_as_it_came_and_is_priced_and_logged(double: Double, tmp_path: Path) -> None:
    raw = json.dumps({**CHAT, "unknown": [1, {"a": None}]}, indent=3).encode()

    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, raw, headers={"authorization": "Bearer own", "openai-project": "p"})
        assert back.json["choices"][0]["message"]["content"] == "billing"
        assert (back.headers["x-tailtune-route"], len(back.headers["x-request-id"])) == ("passthrough", 24)
        (row,) = made.rows()
        assert (row["route"], row["version"], row["answer"], row["text"]) == (
            "passthrough", None, "billing", "one two three",
        )  # fmt: skip
        assert row["usd"] == pytest.approx((3 * 1.0 + 1 * 2.0) / 1e6)

    counts = run(tmp_path, upstream(double.url), scenario)
    assert counts["passed_through_usd"] == pytest.approx(5e-6)
    (seen,) = double.seen
    assert seen.body == json.loads(raw)
    assert seen.headers["content-length"] == str(len(raw)), "not a byte is changed"
    assert (seen.headers["authorization"], seen.headers["openai-project"]) == ("Bearer own", "p")


def test_the_use_case_as_model_is_the_declared_one(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        await made.ask(COMPLETIONS, {**CHAT, "model": "inbox"})

    run(tmp_path, upstream(double.url), scenario)
    assert double.seen[0].body == {**CHAT, "model": "gpt-big"}


def test_a_declared_key_takes_the_place_of_the_clients(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(made: Server) -> None:
        await made.ask(COMPLETIONS, CHAT, headers={"authorization": "Bearer own"})
        monkeypatch.delenv("BIG_KEY")
        await made.ask(COMPLETIONS, CHAT, headers={"authorization": "Bearer own"})

    monkeypatch.setenv("BIG_KEY", "declared")
    run(tmp_path, upstream(double.url, key_env="BIG_KEY"), scenario)
    assert [seen.headers.get("authorization") for seen in double.seen] == ["Bearer declared", None]


def test_a_token_of_ours_is_not_sent_on(double: Double, tmp_path: Path) -> None:
    token = add_token(tmp_path / "tokens.json", "shop")

    async def scenario(made: Server) -> None:
        assert (await made.ask(COMPLETIONS, CHAT, headers={"authorization": f"Bearer {token}"})).status == 200

    run(tmp_path, upstream(double.url), scenario, tokens=tmp_path / "tokens.json")
    assert "authorization" not in double.seen[0].headers


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_refusal_of_the_endpoint_is_passed_on(status: int, double: Double, tmp_path: Path) -> None:
    double.conduct.next(Mishap(status=status, retry_after_s=7, message="not now"))

    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, CHAT)
        assert (back.status, back.headers["retry-after"]) == (status, "7")
        assert back.json["error"]["message"] == "not now"

    counts = run(tmp_path, upstream(double.url), scenario, max_usd_per_day=1.0)
    assert (counts["failed_rows"], counts["passed_through_usd"]) == (1, 0)
    assert spent(tmp_path) == 0, "it cost nothing"


@pytest.mark.parametrize(
    ("kind", "status", "timeout_s"), [("hang up", 502, 20.0), ("stall", 504, 0.1), ("drip", 504, 0.1)]
)
def test_an_endpoint_that_does_not_answer_is_named(
    kind: Any, status: int, timeout_s: float, double: Double, tmp_path: Path
) -> None:
    double.conduct.next(Mishap(kind=kind))

    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, CHAT)
        assert (back.status, back.code) == (status, "upstream")
        assert back.json["error"]["message"].startswith("large: ")
        assert (await made.ask("/predict", {"text": "a login"})).status == 200, "local answers go on"

    counts = run(tmp_path, upstream(double.url, timeout_s=timeout_s), scenario, FakeTextless())
    assert counts["failed_rows"] == 1


class FakeTextless(FakeAnswerer):
    """A version whose answers in a chat are none, so that they pass through."""

    def answer(self, text: str) -> Any:
        return super().answer("nothing" if text == "one two three" else text)


def test_a_dead_endpoint_costs_nothing(double: Double, tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9"

    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, CHAT)
        assert (back.status, back.code) == (502, "upstream")

    run(tmp_path, upstream(dead), scenario, max_usd_per_day=1.0)
    assert spent(tmp_path) == 0


def test_the_days_money_is_a_hard_stop(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        assert (await made.ask(COMPLETIONS, {**CHAT, "max_tokens": 10})).status == 200
        for more in ({"max_tokens": 10**6}, {"max_tokens": 10**6, "n": 3}, {"max_completion_tokens": 10**7}):
            back = await made.ask(COMPLETIONS, {**CHAT, **more})
            assert (back.status, back.code, back.headers["retry-after"]) == (503, "spent", "3600")
        assert (await made.ask(COMPLETIONS, {**CHAT, "max_tokens": -(10**9)})).status == 200

    counts = run(tmp_path, upstream(double.url), scenario, max_usd_per_day=0.5)
    assert counts["failed_rows"] == 3
    assert len(double.seen) == 2


def test_an_unknown_price_is_said_to_be_unknown(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        await made.ask(COMPLETIONS, CHAT)
        assert made.rows()[0]["usd"] is None

    counts = run(tmp_path, upstream(double.url, price=None), scenario)
    assert (counts["unpriced_rows"], counts["passed_through_usd"]) == (1, 0)


DEAR = TokenPrice(input_usd_per_million=100.0, output_usd_per_million=200.0)


@pytest.mark.parametrize(("named", "usd"), [("inbox", 5e-6), ("gpt-big", 5e-6), ("gpt-dear", 5e-4), ("gpt-9", None)])
def test_the_price_is_that_of_the_model_that_the_client_names(
    named: str, usd: float | None, double: Double, tmp_path: Path
) -> None:
    async def scenario(made: Server) -> None:
        assert (await made.ask(COMPLETIONS, {**CHAT, "model": named})).status == 200
        assert made.rows()[0]["usd"] == (None if usd is None else pytest.approx(usd))

    run(tmp_path, upstream(double.url), scenario, prices={"gpt-dear": DEAR})


def test_with_a_limit_a_model_without_a_price_is_not_asked(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, {**CHAT, "model": "gpt-9"})
        assert (back.status, back.code) == (422, "unknown_price")
        assert "'gpt-9'" in back.json["error"]["message"] and "'gpt-big'" in back.json["error"]["message"]

    run(tmp_path, upstream(double.url), scenario, max_usd_per_day=1.0)
    assert not double.seen


def test_an_answer_without_usage_keeps_what_was_set_aside(double: Double, tmp_path: Path) -> None:
    double.conduct.usage = False

    async def scenario(made: Server) -> None:
        await made.ask(COMPLETIONS, {**CHAT, "max_tokens": 100})

    run(tmp_path, upstream(double.url), scenario, max_usd_per_day=1.0)
    assert spent(tmp_path) >= 2e-4


def test_cached_tokens_have_a_price_of_their_own(double: Double, tmp_path: Path) -> None:
    double.conduct.cached_share = 1.0

    async def scenario(made: Server) -> None:
        await made.ask(COMPLETIONS, CHAT)

    price = PRICE.model_copy(update={"cached_input_usd_per_million": 0.1})
    counts = run(tmp_path, upstream(double.url, price=price), scenario)
    assert counts["passed_through_usd"] == pytest.approx((3 * 0.1 + 2.0) / 1e6)


def test_no_more_are_passed_through_at_once_than_may(double: Double, tmp_path: Path) -> None:
    double.conduct.latency_s = 5.0

    async def scenario(made: Server) -> None:
        first = asyncio.create_task(made.ask(COMPLETIONS, CHAT))
        await until(lambda: len(double.seen) == 1)
        back = await made.ask(COMPLETIONS, CHAT)
        assert (back.status, back.code) == (429, "busy")
        double.closing.set()
        assert (await first).status == 200

    assert run(tmp_path, upstream(double.url), scenario, limits=Limits(passing=1))["shed_rows"] == 1


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"properties": {"a": {}, "b": {}}}}}},
        {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]},
    ],
)
def test_what_the_version_cannot_answer_is_passed_through(more: dict[str, Any], double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, {**CHAT, **more})
        assert back.headers.get("x-tailtune-route") == "passthrough"
        assert [row["route"] for row in made.rows()] == ["passthrough"]

    counts = run(tmp_path, upstream(double.url), scenario, FakeAnswerer())
    assert counts["received_rows"] == counts["answered_rows"] == 1


EVENTS = [{"choices": [{"delta": {"content": piece}}]} for piece in ("bil", "ling")]
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


@asynccontextmanager
async def streaming(events: list[Any], go_on: asyncio.Event, breaks: bool = False) -> AsyncIterator[str]:
    """An endpoint that sends an event, and the others once it may go on."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, event in enumerate([*events, None]):
            if number == 1:
                await go_on.wait()
                if breaks:
                    break
            line = f"data: {json.dumps(event) if event else '[DONE]'}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"" if breaks else b"0\r\n\r\n")
        writer.close()

    serving = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with serving:
        yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize("breaks", [False, True])
def test_a_stream_is_passed_on_piece_by_piece(breaks: bool, tmp_path: Path) -> None:
    async def play() -> None:
        go_on, sent = asyncio.Event(), list[Any]()
        async with (
            streaming([*EVENTS, USAGE], go_on, breaks) as url,
            server(tmp_path, upstream=upstream(url), max_usd_per_day=1.0) as made,
        ):

            async def receive() -> Any:
                return {"type": "http.request", "body": json.dumps({**CHAT, "stream": True}).encode()}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": COMPLETIONS, "headers": []}
            asking = asyncio.create_task(made.app(scope, receive, send))
            await until(lambda: len(sent) == 2)
            assert b"bil" in sent[1]["body"] and not asking.done()
            go_on.set()
            await asking
            counts = made.counts()
            check_sums(counts)
            whole = b"".join(message["body"] for message in sent[1:])
            assert whole.endswith(b"[DONE]\n\n") is not breaks
            assert sent[-1].get("more_body", False) is breaks, "one that broke off has no end"
            assert counts["failed_rows" if breaks else "answered_rows"] == 1
            if not breaks:
                (row,) = made.rows()
                assert (row["answer"], row["usd"]) == ("billing", pytest.approx(7e-6))

    asyncio.run(play())


def test_a_long_stream_is_priced_and_logged_and_not_a_byte_of_it_changes(tmp_path: Path) -> None:
    filler = {"choices": [{"delta": {"reasoning_content": " think"}}], "obfuscation": "x" * 2048}
    events = [*[filler] * 1024, *EVENTS, USAGE]

    async def play() -> None:
        go_on = asyncio.Event()
        go_on.set()
        async with (
            streaming(events, go_on) as url,
            server(tmp_path, upstream=upstream(url), max_usd_per_day=1.0) as made,
        ):
            back = await made.ask(COMPLETIONS, {**CHAT, "stream": True, "max_tokens": 10})
            lines = [f"data: {json.dumps(event)}\n\n" for event in events]
            assert back.body == "".join([*lines, "data: [DONE]\n\n"]).encode() and len(back.body) > 2 << 20
            (row,) = made.rows()
            assert (row["answer"], row["usd"]) == ("billing", pytest.approx(7e-6))
            check_sums(made.counts())

    asyncio.run(play())
    assert spent(tmp_path) == pytest.approx(7e-6)


def test_a_client_that_does_not_read_ends_its_stream(tmp_path: Path) -> None:
    async def play() -> None:
        go_on = asyncio.Event()
        async with (
            streaming([*EVENTS, USAGE], go_on) as url,
            server(tmp_path, upstream=upstream(url), limits=Limits(write_s=0.01, passing=1)) as made,
        ):

            async def receive() -> Any:
                return {"type": "http.request", "body": json.dumps({**CHAT, "stream": True}).encode()}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.body":
                    await asyncio.Event().wait()

            await made.app({"type": "http", "method": "POST", "path": COMPLETIONS, "headers": []}, receive, send)
            check_sums(made.counts())
            assert made.counts()["failed_rows"] == 1
            go_on.set()
            assert (await made.ask(COMPLETIONS, CHAT)).status == 200, "its place is free again"

    asyncio.run(play())


def test_what_comes_back_unreadable_is_still_passed_on(double: Double, tmp_path: Path) -> None:
    double.conduct.next(Mishap("raw", 200, content=b"<html>", headers={"Content-Type": "text/html"}))

    async def scenario(made: Server) -> None:
        back: Answered = await made.ask(COMPLETIONS, CHAT)
        assert (back.status, back.body, back.headers["content-type"]) == (200, b"<html>", "text/html")

    assert run(tmp_path, upstream(double.url), scenario)["unpriced_rows"] == 1
