"""`python flows/lifecycle.py` as `tailtune run` starts it: without a server, against one, failing, interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from worlds import servers

from tailtune.config.paths import Paths
from tailtune.lifecycle.table import FAMILIES, STAGES

ORDER = [stage.name for stage in STAGES]
NOOP_S = 10.0


def run(
    project: Paths, environment: dict[str, str], *words: str, flow: str = "lifecycle"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, f"flows/{flow}.py", "toy", *words],
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def ran(project: Paths) -> list[str]:
    log = project.root / "ran.txt"
    return log.read_text().split() if log.exists() else []


def rows(environment: dict[str, str], query: str) -> list[tuple[Any, ...]]:
    database = environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"].partition(":///")[2]
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    return servers.prefect(tmp_path_factory)


@pytest.fixture
def outside(environment: dict[str, str], server: str) -> dict[str, str]:
    """What a flow's process gets where a server is up already."""
    return {**environment, "PREFECT_API_URL": server}


@pytest.fixture(scope="module")
def finished(
    template: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Paths, subprocess.CompletedProcess[str]]:
    """A project whose whole life was run without a server, and what that printed. Copy it to change it."""
    root = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(template, root)
    return Paths(root), run(Paths(root), environment)


@pytest.mark.slow
def test_the_whole_life_without_a_server_then_a_no_op(
    finished: tuple[Paths, subprocess.CompletedProcess[str]], environment: dict[str, str]
) -> None:
    project, done = finished
    assert done.returncode == 0, done.stderr
    assert ran(project) == ORDER
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["Starting a Prefect server for this run (PREFECT_API_URL names none)"]
    kept = rows(environment, "select distinct key, type from artifact where key like 'toy-%'")
    assert {(f"toy-{stage}", "markdown") for stage in ORDER} <= set(kept)
    assert ("toy-ladder-rungs", "table") in kept
    assert ("toy-life", "progress") in kept
    of_life = "select key from artifact where flow_run_id = (select id from flow_run where name = 'life of toy')"
    assert {key for (key,) in rows(environment, of_life)} == {"toy-life", "toy-verdict"}
    assert rows(environment, "select data from artifact where key = 'toy-life'") == [(100,)]
    states = dict(rows(environment, "select name, state_type from flow_run"))
    assert states == dict.fromkeys([f"{name} of toy" for name in FAMILIES] + ["life of toy"], "COMPLETED")

    began = time.monotonic()
    again = run(project, environment)
    took = time.monotonic() - began
    assert again.returncode == 0
    assert ran(project) == ORDER
    assert again.stderr.count("fresh") == len(ORDER)
    assert "Starting" not in again.stderr
    assert took < NOOP_S * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.mark.servers
def test_a_lost_version_is_registered_again_and_edited_rows_are_pinned(
    finished: tuple[Paths, subprocess.CompletedProcess[str]], outside: dict[str, str], tmp_path: Path
) -> None:
    project = Paths(Path(shutil.copytree(finished[0].root, tmp_path / "project", symlinks=True)))
    (project.mlflow_store / "mlflow.db").unlink()
    (project.root / "ran.txt").unlink()
    lost = run(project, outside)
    assert lost.returncode == 0
    assert ran(project) == ["register"]
    assert lost.stderr.count("not in this tracking store, or not whole: registering again") == 1
    assert "data.dvc" not in lost.stderr

    before = project.data_dvc.read_text()
    (project.data / "toy/rows.jsonl").write_text("{}\n{}\n")
    edited = run(project, outside, flow="curation")
    assert edited.returncode == 0
    assert edited.stderr.count("data/toy has changed: data.dvc now pins it") == 1
    assert project.data_dvc.read_text() != before


@pytest.mark.servers
def test_a_closed_gate_stops_the_life_once_and_is_shown(project: Paths, outside: dict[str, str], server: str) -> None:
    (project.root / "fail-validate").write_text("3")
    done = run(project, outside)
    assert done.returncode == 3
    assert ran(project) == ["curate", "validate"]
    assert "Traceback" not in done.stderr
    shown = ask(server, "artifacts", artifacts={"key": {"any_": ["toy-validate", "toy-verdict"]}})
    newest = {one["key"]: one["data"] for one in sorted(shown, key=lambda one: one["created"])}
    assert "1 of 1 expectation failed" in newest["toy-validate"]
    assert newest["toy-verdict"].startswith("## Stopped: the rows do not pass")
    at_gate = {run["name"]: run for run in runs(server) if run["state_name"] == "Gate closed"}
    assert set(at_gate) == {"validation of toy", "life of toy"}
    (life,) = {run["id"]: run for run in at_gate.values() if run["name"] == "life of toy"}.values()
    assert life["state_type"] == "COMPLETED" and life["state"]["message"].startswith("validate: ")
    of_runs = {"flow_run_id": {"any_": [run["id"] for run in at_gate.values()]}}
    logged = [line["message"] for line in ask(server, "logs", logs=of_runs)]
    assert not [line for line in logged if "Traceback" in line]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_the_run_its_stage_and_its_server(
    project: Paths, environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    (project.root / "slow-curate").write_text("60")
    process = subprocess.Popen(
        [sys.executable, "flows/curation.py", "toy"],
        cwd=project.root,
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (project.root / "started-curate").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    assert process.wait(timeout=30) == code
    _, left = psutil.wait_procs(children, timeout=10)
    assert not left


SERVER = """
import sys, time
from pathlib import Path
from tailtune.lifecycle.local_server import LocalServer, wait_for
with LocalServer(Path(sys.argv[1])) as server:
    wait_for(server.url, Path(sys.argv[1]), lambda: None)
    print(server.url, flush=True)
    time.sleep(100)
"""


@pytest.mark.servers
def test_a_server_that_dies_in_mid_run_does_not_stop_it(
    project: Paths, environment: dict[str, str], tmp_path: Path
) -> None:
    (project.root / "slow-curate").write_text("3")
    words = [sys.executable, "-c", SERVER, str(tmp_path / "server")]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        started = subprocess.Popen(
            [sys.executable, "flows/curation.py", "toy"],
            cwd=project.root,
            env={**environment, "PREFECT_API_URL": url},
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 120
        while not (project.root / "started-curate").exists():
            assert started.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.kill()
        shown = started.communicate(timeout=120)[1]
    assert started.returncode == 0, shown
    assert shown.count("has gone; the run goes on") == 1
    assert "Traceback" not in shown
    assert ran(project) == ["curate"]


def test_a_dead_server_is_said_at_once(project: Paths, environment: dict[str, str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api"
        done = run(project, {**environment, "PREFECT_API_URL": url})
    assert done.returncode == 4
    assert url in done.stderr
    assert "make up" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert ran(project) == []


def test_an_unknown_use_case_is_said_before_any_server_starts(project: Paths, environment: dict[str, str]) -> None:
    (project.models / "toy").rename(project.models / "tou")
    done = run(project, environment)
    assert done.returncode == 2
    assert "did you mean tou?" in done.stderr
    assert "Starting" not in done.stderr


def ask(url: str, what: str, **only: Any) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{url}/{what}/filter",
        data=json.dumps(only).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def runs(url: str) -> list[dict[str, Any]]:
    """Flow runs of the toy project; other tests use the same server."""
    return ask(url, "flow_runs", flow_runs={"name": {"like_": " of toy"}})


@pytest.mark.servers
def test_the_same_command_against_a_server(project: Paths, outside: dict[str, str], server: str) -> None:
    before = {run["id"] for run in runs(server)}
    done = run(project, outside)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ran(project) == ORDER
    made = [one for one in runs(server) if one["id"] not in before]
    assert sorted(one["name"] for one in made) == sorted([*(f"{name} of toy" for name in FAMILIES), "life of toy"])
    assert {one["state_type"] for one in made} == {"COMPLETED"}


@pytest.mark.servers
def test_every_deployment_deploys(project: Paths, outside: dict[str, str], server: str) -> None:
    programs = Path(sys.executable).parent
    for words in (["work-pool", "create", "local", "--type", "process"], ["--no-prompt", "deploy", "--all"]):
        done = subprocess.run(
            [str(programs / "prefect"), *words],
            cwd=project.root,
            env=outside,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    made = {one["name"]: one for one in ask(server, "deployments")}
    life = {*FAMILIES, "lifecycle"}
    assert set(made) == {*life, "drift_monitoring", "retraining", "silent_monitor"}
    for name, one in made.items():
        assert str(project.root) not in json.dumps(one["pull_steps"])
        assert name not in life or one["parameters"] == {"use_case": "support-tickets", "force": False}
    (started,) = [
        action
        for automation in ask(server, "automations")
        for action in automation["actions"]
        if action["deployment_id"] == made["retraining"]["id"]
    ]
    assert started["parameters"] == {"use_case": "{{ event.payload.use_case }}", "because": "drift"}


class Failing:
    """Stands before a Prefect server and, once it is told to, answers 500 to what begins with a path."""

    def __init__(self, url: str) -> None:
        self.path, self.refused = "", list[str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Says nothing."""

            def pass_on(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length") or 0))
                if outer.path and self.path.startswith(outer.path) and not self.path.endswith("/health"):
                    outer.refused.append(self.path)
                    status, body = 500, b'{"exception_message": "database is locked"}'
                else:
                    status, body = self.answer_of(content)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def answer_of(self, content: bytes) -> tuple[int, bytes]:
                kept = {
                    name: self.headers[name] for name in ("content-type", "x-prefect-api-version") if self.headers[name]
                }
                target = url.removesuffix("/api") + self.path
                request = urllib.request.Request(target, content or None, kept, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        return answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    return error.code, error.read()

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = pass_on  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.servers
def test_a_server_that_fails_in_mid_run_does_not_stop_it(
    project: Paths, environment: dict[str, str], server: str
) -> None:
    (project.root / "slow-validate").write_text("3")
    failing = Failing(server)
    started = subprocess.Popen(
        [sys.executable, "flows/lifecycle.py", "toy", "--force"],
        cwd=project.root,
        env={**environment, "PREFECT_API_URL": failing.url},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (project.root / "started-validate").exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    failing.path = "/api/"
    shown = started.communicate(timeout=120)[1]
    failing.server.shutdown()
    failing.server.server_close()
    assert started.returncode == 0, shown
    assert shown.count("the run goes on without it") == 1, shown
    assert "Traceback" not in shown
    assert ran(project) == ORDER, "what was forced and has ended is not forced twice"
    assert failing.refused
