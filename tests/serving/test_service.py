"""What comes of a request, and that every text is counted once and logged once, whatever happens."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tailtune.serving.plan import Limits

from .fake import FakeAnswerer, FakeExtractor, Server, check_sums, server, until

Scenario = Callable[[Server], Coroutine[Any, Any, None]]
CHAT = {"model": "inbox", "messages": [{"role": "user", "content": "please billing"}]}
PREDICT, INVOCATIONS, COMPLETIONS, FEEDBACK = "/predict", "/invocations", "/v1/chat/completions", "/feedback"


def run(folder: Path, scenario: Scenario, answerer: FakeAnswerer | None = None, **declared: Any) -> dict[str, float]:
    """Play a scenario; what is counted adds up. Returns the counts."""

    async def play() -> dict[str, float]:
        async with server(folder, answerer, **declared) as made:
            await scenario(made)
            counts = made.counts()
            check_sums(counts)
            return counts

    return asyncio.run(play())


def test_one_text_is_answered_and_logged(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(PREDICT, {"text": "mail ada@example.com please billing", "metadata": {"plan": " pro "}},
                              headers={"x-request-id": "r-1"})  # fmt: skip
        assert back.status == 200
        assert back.json["request_id"] == back.headers["x-request-id"] == "r-1"
        assert back.json["version"] == back.headers["x-tailtune-version"] == "3"
        assert back.json["answers"] == [{"answer": "billing", "confidence": 0.75, "likeliest": [["billing", 0.75]]}]
        (row,) = made.rows()
        assert (row["answer"], row["route"], row["version"]) == ("billing", "model", "3")
        assert (row["slices"], row["metadata"], row["tokens"]) == ({"plan": "pro"}, {"plan": " pro "}, 4)

    counts = run(tmp_path, scenario, FakeAnswerer(), slices=("plan",))
    assert counts["answered_rows"] == counts["logged_rows"] == 1


def test_many_texts_keep_their_order(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(PREDICT, {"rows": [{"text": "a billing"}, {"text": ""}, {"text": "b login"}]})
        assert [each["answer"] for each in back.json["answers"]] == ["billing", "billing", "login"]
        assert [row["row"] for row in made.rows()] == [0, 1, 2]
        back = await made.ask(INVOCATIONS, {"inputs": ["x login", "nothing"]})
        assert [each["label"] for each in back.json["predictions"]] == ["login", None]
        back = await made.ask(INVOCATIONS, {"inputs": []})
        assert (back.status, back.json) == (200, {"predictions": []})

    assert run(tmp_path, scenario, FakeAnswerer())["received_rows"] == 5


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (PREDICT, b"{", 400, "invalid_json"),
        (PREDICT, b'{"text": "\xff"}', 400, "invalid_json"),
        (PREDICT, b"", 400, "invalid_json"),
        (PREDICT, {"text": 3}, 422, "invalid_body"),
        (PREDICT, {"text": "a", "more": 1}, 422, "invalid_body"),
        (PREDICT, {"rows": [{"text": "a"}] * 4}, 413, "too_many_rows"),
        (PREDICT, {"text": "a" * 101}, 413, "text_too_long"),
        (PREDICT, {"text": "fail"}, 500, "error"),
        (PREDICT, b"[" * 900, 400, "invalid_json"),
        (PREDICT, b'{"text": "' + b"a" * 2000 + b'"}', 413, "too_large"),
        (INVOCATIONS, {"dataframe_split": {}}, 422, "invalid_body"),
        (INVOCATIONS, {"inputs": ["a"] * 4}, 413, "too_many_rows"),
        (COMPLETIONS, {"messages": []}, 422, "invalid_body"),
        (COMPLETIONS, {"messages": "hello"}, 422, "invalid_body"),
        (COMPLETIONS, {**CHAT, "n": 2}, 422, "not_answerable"),
        (COMPLETIONS, {**CHAT, "messages": [{"role": "user", "content": "nothing"}]}, 422, "not_answerable"),
        (COMPLETIONS, {**CHAT, "response_format": {"type": "json_schema"}}, 422, "not_answerable"),
        ("/nowhere", {}, 404, "not_found"),
        ("/version", {}, 405, "method"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    path: str, body: Any, status: int, code: str, tmp_path: Path
) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(path, body)
        assert (back.status, back.code) == (status, code)
        assert back.json["error"]["message"]

    limits = Limits(rows=3, text_chars=100, body_bytes=1000)
    counts = run(tmp_path, scenario, FakeAnswerer(), limits=limits)
    assert counts.get("answered_rows", 0) == 0
    if path not in ("/nowhere", "/version"):
        assert counts["failed_rows"] >= 1


def test_without_a_version_a_request_says_what_to_do(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        for path, body in ((PREDICT, {"text": "a"}), (INVOCATIONS, {"inputs": []}), (COMPLETIONS, CHAT)):
            back = await made.ask(path, body)
            assert (back.status, back.code, back.headers["retry-after"]) == (503, "no_version", "30")
            assert "tailtune run inbox" in back.json["error"]["message"]
        assert (await made.ask("/readyz", method="GET")).status == 503
        assert (await made.ask("/healthz", method="GET")).status == 200

    assert run(tmp_path, scenario)["failed_rows"] == 3


def test_what_does_not_fit_the_line_is_shed_and_may_be_tried_again(tmp_path: Path) -> None:
    answerer = FakeAnswerer()

    async def scenario(made: Server) -> None:
        answerer.gate.clear()
        first = asyncio.create_task(made.ask(PREDICT, {"rows": [{"text": "a billing"}] * 2}))
        line = made.versions.loaded["champion"].line
        await until(lambda: line.waiting == 2)
        back = await made.ask(PREDICT, {"rows": [{"text": "a"}] * 3})
        assert (back.status, back.code) == (429, "busy")
        assert int(back.headers["retry-after"]) >= 1
        answerer.gate.set()
        assert (await first).status == 200

    counts = run(tmp_path, scenario, answerer, limits=Limits(queue_rows=2))
    assert (counts["shed_rows"], counts["answered_rows"]) == (3, 2)


def test_what_waits_too_long_is_given_up(tmp_path: Path) -> None:
    answerer = FakeAnswerer()

    async def scenario(made: Server) -> None:
        answerer.gate.clear()
        line = made.versions.loaded["champion"].line
        first = asyncio.create_task(line.ask(["a billing"], 10))
        await until(lambda: line.waiting == 1)
        late = asyncio.create_task(made.ask(PREDICT, {"text": "a"}))
        await until(lambda: line.waiting == 2)
        await asyncio.sleep(0.005)
        answerer.gate.set()
        await first
        back = await late
        assert (back.status, back.code) == (503, "late")

    assert run(tmp_path, scenario, answerer, limits=Limits(deadline_s=0.003))["shed_rows"] == 1


def test_a_spool_that_cannot_be_written_changes_no_answer(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        (tmp_path / "spool").write_text("in the way")
        assert (await made.ask(PREDICT, {"text": "a billing"})).status == 200
        back = await made.ask(FEEDBACK, {"request_id": "r", "label": "billing", "who": "ada"})
        assert (back.status, back.code) == (503, "not_kept")
        (tmp_path / "spool").unlink()
        assert (await made.ask(PREDICT, {"text": "b billing"})).status == 200

    counts = run(tmp_path, scenario, FakeAnswerer())
    assert (counts["not_logged_rows"], counts["logged_rows"], counts["spooled_rows"]) == (1, 1, 1)


@pytest.mark.parametrize("kept", ["scrubbed", "hash", "none"])
def test_the_text_is_kept_as_declared(kept: str, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        await made.ask(PREDICT, {"text": "a billing"})
        (row,) = made.rows()
        assert row["text"] == ("a billing" if kept == "scrubbed" else None)
        assert (row["text_hash"] is None) is (kept == "none")
        assert row["embedding"] is None

    run(tmp_path, scenario, FakeAnswerer(), keep_text=kept, keep_embeddings=False)


def test_a_chat_gets_the_label_with_its_request(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(COMPLETIONS, {**CHAT, "user": "shop"})
        assert back.json["choices"][0]["message"]["content"] == "billing"
        assert back.json["id"] == f"chatcmpl-{back.headers['x-request-id']}"
        back = await made.ask(COMPLETIONS, {**CHAT, "stream": True, "response_format": {"type": "json_object"}})
        assert back.headers["content-type"].startswith("text/event-stream")
        assert r"{\"label\": \"billing\"}" in back.body.decode()
        assert [row["client"] for row in made.rows()] == ["shop", ""]

    run(tmp_path, scenario, FakeAnswerer())


def test_an_extractor_answers_objects(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        back = await made.ask(PREDICT, {"text": "Ada"})
        answer = {"answer": {"amount": 3, "who": "Ada"}, "confidence": None, "likeliest": [["amount", None]]}
        assert back.json["answers"] == [answer]
        back = await made.ask(INVOCATIONS, {"inputs": ["Ada"]})
        assert back.json["predictions"][0]["confidence"] is None
        back = await made.ask(COMPLETIONS, {**CHAT, "response_format": {"type": "json_object"}})
        assert json.loads(back.json["choices"][0]["message"]["content"])["amount"] == 3
        for label, status in (({"amount": 3}, 202), ({"x": 3}, 422), ("billing", 422)):
            back = await made.ask(FEEDBACK, {"text": "a", "label": label, "who": "ada"})
            assert back.status == status, label

    run(tmp_path, scenario, FakeExtractor(), task="extraction")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"request_id": "chatcmpl-r1", "label": "billing", "who": "ada"}, 202),
        ({"text": "charged twice", "label": "login", "who": "ada"}, 202),
        ({"text": "charged twice", "label": "refund", "who": "ada"}, 422),
        ({"text": "charged twice", "label": {"a": 1}, "who": "ada"}, 422),
        ({"text": "a" * 200_000, "label": "login", "who": "ada"}, 413),
        ({"text": "charged twice", "label": "login", "who": ""}, 422),
    ],
)
def test_a_right_answer_is_kept_where_it_is_one(body: dict[str, Any], status: int, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        assert (await made.ask(FEEDBACK, body)).status == status
        kept = made.rows()
        assert len(kept) == (status == 202)
        assert all(row["request_id"] in (None, "r1") for row in kept)

    assert run(tmp_path, scenario, FakeAnswerer())["feedback"] == (status == 202)


def test_a_new_version_brings_its_labels_at_once(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        right = {"text": "where does it go", "label": "relay", "who": "ada"}
        before = await made.ask(FEEDBACK, right)
        assert (before.status, before.code) == (422, "unknown_label")
        near = await made.ask(FEEDBACK, {**right, "label": "Billing"})
        assert "did you mean 'billing'?" in near.body.decode()
        assert "did you mean" not in before.body.decode()
        newer = FakeAnswerer(version="2")
        newer.labels = (*newer.labels, "relay")  # type: ignore[assignment]
        made.versions.put("champion", "2", newer, 8)
        assert (await made.ask(FEEDBACK, right)).status == 202

    run(tmp_path, scenario, FakeAnswerer())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_challenger_answers_its_share_unseen(share: float, tmp_path: Path) -> None:
    class Contrary(FakeAnswerer):
        def answer(self, text: str) -> Any:
            return super().answer("x login")

    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), Contrary(), shadow_share=share) as made:
            back = await made.ask(PREDICT, {"rows": [{"text": "a billing"}, {"text": "b login"}]})
            assert [each["answer"] for each in back.json["answers"]] == ["billing", "login"]
            if share:
                await until(lambda: len(made.rows()) == 4)
                assert [(row["route"], row["version"], row["row"]) for row in made.rows()[2:]] == [
                    ("shadow", "4", 0),
                    ("shadow", "4", 1),
                ]
            counts = made.counts()
            check_sums(counts)
            assert counts["answered_rows"] == 2
            assert counts.get("shadowed_rows", 0) == 2 * share
            if share:
                assert 'tailtune_shadowed_rows_total{agrees="yes",version="4"} 1' in made.counters.text().decode()

    asyncio.run(play())


def test_a_challenger_that_fails_harms_nobody(tmp_path: Path) -> None:
    class Failing(FakeAnswerer):
        def answer(self, text: str) -> Any:
            raise ArithmeticError

    async def play() -> None:
        async with server(tmp_path, FakeAnswerer(), Failing(), shadow_share=1.0) as made:
            for _ in range(3):
                assert (await made.ask(PREDICT, {"text": "a billing"})).status == 200
            check_sums(made.counts())

    asyncio.run(play())


def test_the_folder_of_the_spool_may_go_at_any_time(tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        for _ in range(2):
            assert (await made.ask(PREDICT, {"text": "a billing"})).status == 200
            shutil.rmtree(tmp_path / "spool")

    run(tmp_path, scenario, FakeAnswerer())
