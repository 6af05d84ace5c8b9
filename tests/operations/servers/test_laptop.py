"""`tailtune up`, `down` and `ui`: on free ports, with a project in a temporary folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from lifecycle.helpers import perform
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY, stop, wait_for
from services.mlflow.examples import publish
from worlds.servers import free_port

from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.lifecycle.context import Context
from tailtune.operations.servers import laptop
from tailtune.operations.servers.prefect_api import PrefectApi
from tailtune.services.mlflow import connect, registry
from tailtune.services.mlflow.address import runs_tables
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.home import open_client
from tailtune.services.mlflow.lookup import require

ROOT = Path(__file__).parents[3]
NAMES = ("prefect", "mlflow", "worker")

DECLARED = """\
name: tailtune
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $TAILTUNE_ROOT }}"
deployments:
  - name: sleeping
    entrypoint: flows/sleeping.py:outer
    work_pool: {name: local}
    schedules:
      - {cron: "0 3 * * 1", timezone: UTC, slug: weekly, active: false}
    triggers:
      - type: event
        name: somebody sleeps
        match: {prefect.resource.id: "nobody.*"}
        expect: [nobody.sleeps]
"""
MORE = """\
  - name: napping
    entrypoint: flows/sleeping.py:inner
    work_pool: {name: local}
    triggers:
      - type: event
        name: somebody naps
        match: {prefect.resource.id: "nobody.*"}
        expect: [nobody.naps]
"""
"""Is declared at first, and then no more."""
FLOW = """\
import os, time
from pathlib import Path
from prefect import flow

@flow
def inner():
    Path("sleeps").write_text(os.environ["TAILTUNE_TRACKING_URI"])
    while not Path("wake").exists():
        time.sleep(0.1)

@flow
def outer():
    inner()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "models").mkdir()
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "flows").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "prefect.yaml").write_text(DECLARED + MORE)
    (tmp_path / "flows/sleeping.py").write_text(FLOW)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TAILTUNE_"))}
    return {
        **kept,
        "TAILTUNE_ROOT": str(tmp_path),
        "TAILTUNE_PREFECT_PORT": str(free_port()),
        "TAILTUNE_MLFLOW_PORT": str(free_port()),
        "TAILTUNE_SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/a-secret",
        "PREFECT_HOME": str(tmp_path / "prefect-home"),
    }


def tailtune(verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tailtune", verb]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)


def eventually(seen: Callable[[], Any], most_s: float = 90.0) -> Any:
    end = time.monotonic() + most_s
    while not (value := seen()):
        assert time.monotonic() < end, seen
        time.sleep(0.2)
    return value


class Prefect(PrefectApi):
    def deployment(self) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("GET", "deployments/name/outer/sleeping")
        return row

    def start(self) -> str:
        return str(self.ask("POST", f"deployments/{self.deployment()['id']}/create_flow_run", {})["id"])

    def states(self) -> dict[str, str]:
        """Of all flow runs but those that a schedule will start."""
        rows = self.all_of("flow_runs/filter")
        return {row["id"]: row["state_type"] for row in rows if row["state_type"] != "SCHEDULED"}


@pytest.mark.servers
def test_up_runs_a_deployment_and_what_is_cut_off_has_ended(environment: dict[str, str], tmp_path: Path) -> None:
    prefect = f"http://127.0.0.1:{environment['TAILTUNE_PREFECT_PORT']}"
    mlflow = f"http://127.0.0.1:{environment['TAILTUNE_MLFLOW_PORT']}"
    api, sleeps, wake = Prefect(f"{prefect}/api"), tmp_path / "sleeps", tmp_path / "wake"

    def states() -> dict[str, Any]:
        return {name: json.loads((tmp_path / f".run/{name}.json").read_text()) for name in NAMES}

    try:
        up = tailtune("up", environment)
        assert up.returncode == 0, up.stdout + up.stderr
        assert "Deployments: 2 new" in up.stdout
        assert f"export PREFECT_API_URL={prefect}/api TAILTUNE_TRACKING_URI={mlflow}\n" in up.stdout
        family = [each for state in states().values() for each in _family(state["pid"])]
        listening = {c.laddr.ip for each in family for c in each.net_connections("inet") if c.status == "LISTEN"}
        assert listening == {"127.0.0.1"}

        # A second one changes nothing, and keeps what a person has switched, also when a declaration has changed.
        before, schedule = states(), api.deployment()["schedules"][0]
        assert not schedule["active"]
        api.ask("PATCH", f"deployments/{api.deployment()['id']}/schedules/{schedule['id']}", {"active": True})
        automation = next(row for row in api.all_of("automations/filter") if row["name"] == "somebody sleeps")
        api.ask("PATCH", f"automations/{automation['id']}", {"enabled": False})
        again = tailtune("up", environment)
        assert again.stdout.count("already up") == 3 and "Deployments: 2 as declared" in again.stdout
        assert api.deployment()["schedules"][0]["active"] and states() == before
        # What is not declared any more is removed; what somebody has made by hand stays.
        by_hand = {"name": "by hand", "flow_id": api.deployment()["flow_id"], "tags": ["tailtune"]}
        api.ask("POST", "deployments/", by_hand)
        (tmp_path / "prefect.yaml").write_text(DECLARED.replace("0 3", "0 4"))
        assert "1 renewed (sleeping), 1 removed (napping)" in tailtune("up", environment).stdout
        assert {row["name"] for row in api.all_of("deployments/filter")} == {"sleeping", "by hand"}
        row = api.deployment()["schedules"][0]
        assert (row["active"], row["schedule"]["cron"]) == (True, "0 4 * * 1")
        automations = {row["name"]: row["enabled"] for row in api.all_of("automations/filter")}
        assert automations == {"somebody sleeps": False, "a run without heartbeat has crashed": True}
        moved = tailtune("up", {**environment, "TAILTUNE_PREFECT_PORT": str(free_port())})
        assert moved.returncode == 4 and "tailtune down && tailtune up" in moved.stderr
        assert mlflow in tailtune("ui", environment).stdout

        # A run on the worker; the worker is killed, and `up` starts it again without anything left running.
        api.start()
        eventually(sleeps.exists)
        assert sleeps.read_text() == mlflow
        sleeps.unlink()
        os.kill(before["worker"]["pid"], signal.SIGKILL)
        started = tailtune("up", environment)
        assert started.returncode == 0, started.stderr
        assert started.stdout.count("already up") == 2 and states()["worker"] != before["worker"]
        assert list(api.states().values()) == ["CRASHED", "CRASHED"]  # and what it had begun

        # A run that ends well; and one that is cut off by `down`.
        wake.touch()
        run = api.start()
        eventually(lambda: api.ask("GET", f"flow_runs/{run}")["state"]["type"] == "COMPLETED")
        wake.unlink()
        sleeps.unlink(missing_ok=True)
        run = api.start()
        eventually(sleeps.exists)
        family = [each for state in states().values() for each in _family(state["pid"])]
    finally:
        down = tailtune("down", environment)
    assert down.stdout.split() == ["worker", "stopped", "MLflow", "stopped", "Prefect", "stopped"]
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert tailtune("down", environment).stdout.count("was not up") == 3
    assert _state_in(tmp_path / ".run/prefect.db", run) == "CRASHED"
    written = b"".join(file.read_bytes() for file in (tmp_path / ".run").rglob("*") if file.is_file())
    assert b"a-secret" not in written


def _state_in(database: Path, run: str) -> str:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT state_type FROM flow_run WHERE id = ?", (run,)).fetchone()[0])


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@pytest.mark.slow
@THIRD_PARTY[0]
@THIRD_PARTY[1]
def test_runs_with_and_without_the_server_take_turns_on_one_store(tmp_path: Path) -> None:
    """A life through the server, one without it, and one through it again: everyone reads what the others wrote."""
    case = examples.make_case(tmp_path / "project")
    paths, port = case.paths.project, free_port()
    embedded = f"sqlite:///{paths.mlflow_store / 'mlflow.db'}"
    address = f"http://127.0.0.1:{port}"
    open_client(embedded)
    mlflow = laptop.mlflow_server(paths, Settings(mlflow_port=port))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            mlflow.command, env={**os.environ, **mlflow.environment}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"{address}/health", process)
        turns = ((address, True), (embedded, False), (address, False))
        for day, (uri, weak) in enumerate(turns, start=1):
            examples.make_life(case, weak=weak)
            tracker = connect(uri, case)
            report = perform("register", Context(case, Settings(), Silent(), tracker))
            publish(tracker, examples.stamped(case, report, f"2026-11-2{day}T10:00:00+00:00"))
            run_id = publish(tracker, examples.curate(case, at=f"2026-11-2{day}T10:00:00+00:00"))
            assert report.champion_version == str(min(day, 2))
            for reader in (address, embedded):
                other = connect(reader, case)
                champion = registry.get(other, case.name, "champion")
                into = tmp_path / f"fetched-{day}-{reader[:4]}"
                stored = require(reader, case.name, champion.version)
                assert (fetch(reader, stored, into) / "predictor.json").is_file()
                assert [item.path for item in other.client.list_artifacts(run_id, "reports")] == ["reports/curate.json"]
            page = f"{address}/get-artifact?path=reports/curate.json&run_uuid={run_id}"  # what the UI asks for
            with urllib.request.urlopen(page, timeout=20) as shown:
                assert json.load(shown)["stage"] == "curate"
            files = f"{address}/ajax-api/2.0/mlflow/artifacts/list?run_id={run_id}"
            with urllib.request.urlopen(files, timeout=20) as listed:
                assert "reports" in {item["path"] for item in json.load(listed)["files"]}
        assert runs_tables(address, address)[case.name] == f"{address}/#/experiments/1?workflowType=machine_learning"
    finally:
        stop(process)


@pytest.mark.parametrize("verb", ["up", "ui"])
def test_a_port_of_somebody_else_is_named(environment: dict[str, str], tmp_path: Path, verb: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        setting = "TAILTUNE_PREFECT_PORT" if verb == "up" else "TAILTUNE_MLFLOW_PORT"
        done = tailtune(verb, {**environment, setting: str(port)})
    assert done.returncode == 4
    assert f"port {port}" in done.stderr
    assert f"{setting}={port + 1} tailtune {verb}" in done.stderr
    assert not list((tmp_path / ".run").glob("*.json"))
