"""`tailtune serve` as it is run: real processes, the official client, swaps, kills and ends; no request is lost."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import openai
import pandas as pd
import pytest
from doubles.endpoint import Double
from doubles.skill import always
from services.mlflow.conftest import THIRD_PARTY

from tailtune.cli.serve import add_token
from tailtune.core.errors import BusyError, UsageError
from tailtune.serving import supervisor
from tailtune.serving.supervisor import open_socket

from .fake import check_sums
from .running import NAME, Served, answers_of, running, write_probe

pytestmark = [*THIRD_PARTY, pytest.mark.slow]
TEXTS = ["charged twice", "", "reset my password", "müde 漢字 \x00 \u2028", "word " * 500]


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> list[Path]:
    return [write_probe(tmp_path_factory.mktemp("probes") / str(seed), tiny_encoder, seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with Double(always("from the language model")) as made:
        yield made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, probes: list[Path], double: Double) -> Iterator[Served]:
    """A server with two workers: versions 1 and 2 are registered, and none has the alias yet."""
    models = f"{{models: [{{name: large, endpoint: '{double.url}', model: big}}]}}"
    serve = "{passthrough: large, limits: {rows: 64, body_kb: 256}}"
    made = Served(tmp_path_factory.mktemp("served") / "project", tmp_path_factory, prompt=models, serve=serve)
    for probe in probes:
        made.register(probe)
    with running(made, workers=2) as server:
        check_day_zero(server)
        made.move_alias("1")
        made.until(lambda: both_answer(made, "1"))
        yield server


def check_day_zero(server: Served) -> None:
    """Before there is a version, chats are passed through, and nothing else is answered."""
    completion = client(server).chat.completions.create(model=NAME, messages=[{"role": "user", "content": "hello"}])
    assert completion.choices[0].message.content == "from the language model"
    assert server.predict("hello").status_code == 503
    assert server.json("/readyz")["passes_through_to"] == "large"


def both_answer(server: Served, version: str) -> bool:
    """Whether no worker answers with another version."""
    return all(server.json("/version")["champion"] == version for _ in range(12))


def answer_with(server: Served, version: str) -> None:
    server.move_alias(version)
    server.until(lambda: both_answer(server, version))


def client(server: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


def test_the_official_client_gets_its_labels_unchanged(served: Served) -> None:
    expected = served.predict("charged twice").json()["answers"][0]["answer"]
    asking: Any = {"model": NAME, "messages": [{"role": "user", "content": "charged twice"}]}
    with client(served) as openai:
        assert [model.id for model in openai.models.list()] == [NAME]
        completion = openai.chat.completions.create(**asking)
        assert completion.choices[0].message.content == expected
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage is not None and completion.usage.prompt_tokens > 2
        found = openai.chat.completions.create(**asking, response_format={"type": "json_object"})
        assert json.loads(found.choices[0].message.content or "") == {"label": expected}
        schema = {"type": "object", "properties": {"category": {"type": "string"}}}
        form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        found = openai.chat.completions.create(**asking, response_format=form)
        assert json.loads(found.choices[0].message.content or "") == {"category": expected}
        chunks = list(openai.chat.completions.create(**asking, stream=True, stream_options={"include_usage": True}))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == expected
        assert chunks[-1].usage is not None
        several = openai.chat.completions.create(**asking, n=2)
        assert several.choices[0].message.content == "from the language model"


def test_invocations_answer_what_the_pyfunc_model_answers(served: Served, probes: list[Path]) -> None:
    from tailtune.serving.pyfunc import TailTuneModel

    answer_with(served, "1")
    model = TailTuneModel()
    model.load_context(SimpleNamespace(artifacts={"predictor": str(probes[0])}))
    expected = model.predict(None, pd.DataFrame({"text": TEXTS})).to_dict(orient="records")
    body = {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}}
    back = httpx2.post(f"{served.url}/invocations", json=body).json()["predictions"]
    assert [row["label"] for row in back] == [row["label"] for row in expected]
    assert [row["confidence"] for row in back] == pytest.approx([row["confidence"] for row in expected], abs=1e-6)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b'{"text": "\xff"}', 400),
        (b'{"text": 3}', 422),
        (b'{"version": "9", "text": "a"}', 422),
        (b"x" * 10_000_000, 413),
        (json.dumps({"rows": [{"text": "a"}] * 10_000}).encode(), 413),
        (b'{"text": ""}', 200),
    ],
)
def test_strange_bodies_get_clear_answers(content: bytes, status: int, served: Served) -> None:
    back = httpx2.post(f"{served.url}/predict", content=content, timeout=20)
    assert back.status_code == status
    assert status == 200 or back.json()["error"]["message"]


def test_strange_paths_and_methods_get_clear_answers(served: Served) -> None:
    assert served.get("/nowhere") == 404
    assert served.get("/predict") == 405
    assert httpx2.request("DELETE", f"{served.url}/predict").status_code == 405


def test_clients_that_leave_harm_nobody(served: Served) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
    for sent in (b"", b"POST", head, head + b'{"text"', b"\x16\x03\x01 nonsense\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", served.port)) as leaving:
            leaving.sendall(sent)
    assert served.predict("charged twice").status_code == 200
    check_sums(served.counts())


def test_the_same_text_gets_the_same_bytes_from_every_worker(served: Served) -> None:
    answer_with(served, "1")
    with ThreadPoolExecutor(4) as pool:
        back = list(pool.map(lambda _: answers_of(served.predict(*TEXTS)), range(16)))
    assert len(set(back)) == 1


class Asking:
    """Clients that ask all the time."""

    def __init__(self, served: Served, count: int = 3) -> None:
        self.served, self.ended = served, threading.Event()
        self.statuses, self.versions = list[int](), set[str]()
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Asking:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _ask(self) -> None:
        with httpx2.Client() as client:
            while not self.ended.is_set():
                back = client.post(f"{self.served.url}/predict", json={"text": "charged twice"}, timeout=30)
                self.statuses.append(back.status_code)
                self.versions.add(back.json().get("version", ""))


def test_moving_the_alias_changes_versions_without_a_dropped_request(served: Served) -> None:
    answer_with(served, "1")
    with Asking(served) as asking:
        answer_with(served, "2")
        answer_with(served, "1")
    assert set(asking.statuses) == {200}
    assert asking.versions == {"1", "2"}


def test_files_that_were_not_registered_are_refused_and_the_old_version_stays(
    served: Served, probes: list[Path]
) -> None:
    answer_with(served, "1")
    version = served.register(probes[1])
    for file in served.case.paths.project.mlflow_store.rglob("artifacts/*/predictor.json"):
        if file.parent.name == probes[1].name:
            file.write_text(file.read_text() + " ")
    served.move_alias(version)
    served.until(lambda: any("not those that were registered" in line for line in served.lines))
    assert served.predict("charged twice").json()["version"] == "1"
    answer_with(served, "1")


def test_a_killed_worker_is_replaced_and_the_counts_add_up(served: Served) -> None:
    answer_with(served, "1")
    before, first = served.counts(), served.workers()
    assert len(first) == 2
    assert served.predict("one", "two").status_code == 200
    os.kill(first[0], signal.SIGKILL)
    served.until(lambda: len(served.workers()) == 2 and first[0] not in served.workers())
    served.until(lambda: both_answer(served, "1"))
    after = served.counts()
    check_sums(after)
    assert after["answered_rows"] - before["answered_rows"] == 2


def test_nobody_else_serves_it_from_the_same_folder_or_port(served: Served) -> None:
    state = served.case.paths.project.serving / NAME
    with pytest.raises(BusyError, match="served already"), supervisor._alone(state):
        pass
    with pytest.raises(UsageError, match="in use"):
        open_socket("127.0.0.1", served.port)


def test_no_library_of_training_is_in_a_worker(served: Served) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from tailtune.serving.plan import ServerPlan
from tailtune.serving.worker import build
plan = ServerPlan.model_validate_json(Path(sys.argv[1]).read_text())
app = build(plan.model_copy(update={"state": Path(sys.argv[2]), "spool": Path(sys.argv[2])}))
(Path(sys.argv[2]) / "current.json").write_text((plan.state / "current.json").read_text())
async def main():
    app._versions._file = plan.current
    await app._versions.look()
    loaded = app._versions.get("champion")
    await loaded.line.ask(["charged twice"], 10)
    await app._close()
asyncio.run(main())
heavy = {"torch", "transformers", "pandas", "pyarrow", "mlflow", "sklearn", "scipy", "prefect", "peft", "sqlalchemy"}
print(sorted(heavy & sys.modules.keys()))
"""
    state = served.case.paths.project.serving / NAME
    other = served.root / "other"
    other.mkdir(exist_ok=True)
    words = [sys.executable, "-c", script, str(state / "plan.json"), str(other)]
    done = subprocess.run(words, capture_output=True, text=True, env=served.env, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_an_end_answers_what_has_come_in_and_keeps_the_log(served: Served) -> None:
    """Last in this file: it ends the server that the others share, and starts it again."""
    answer_with(served, "1")
    first, before = answers_of(served.predict(*TEXTS)), served.counts()["answered_rows"]
    with socket.create_connection(("127.0.0.1", served.port)) as asking:
        asking.sendall(b'POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 18\r\n\r\n{"text": "a ')
        assert served.process is not None
        served.process.send_signal(signal.SIGTERM)
        served.until(lambda: any("ending" in line for line in served.lines))
        asking.sendall(b'word"}')
        assert asking.recv(1000).startswith(b"HTTP/1.1 200")
    assert served.process.wait(60) == 0
    assert len(served.logged()) == before + 1
    token = add_token(served.case.paths.project, NAME, "shop")[0]
    Path(served.uri.removeprefix("sqlite:///")).write_bytes(b"no database")
    with running(served):
        headers = {"authorization": f"Bearer {token}"}
        served.until(lambda: served.predict("a", headers=headers).status_code == 200)
        assert served.predict("a").status_code == 401
        assert answers_of(served.predict(*TEXTS, headers=headers)) == first, "also after a start without a registry"
        workers = served.workers()
        served.process.kill()
        served.process.wait()
        for worker in workers:
            wait_for_end(worker)
    assert len(served.logged()) >= before + 1


def wait_for_end(pid: int) -> None:
    """Wait until a process that is no child of this one has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        assert select.select([descriptor], [], [], 30)[0], "it goes on without its supervisor"
    finally:
        os.close(descriptor)
