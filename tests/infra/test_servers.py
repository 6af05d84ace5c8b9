"""`make up`, `make down`, `make ui`: on free ports, with a project in a temporary folder."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import ModuleType

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
from tailtune.services.mlflow import connect, registry
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.home import open_client
from tailtune.services.mlflow.lookup import require

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "models").mkdir()
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TAILTUNE_"))}
    return {
        **kept,
        "TAILTUNE_ROOT": str(tmp_path),
        "TAILTUNE_PREFECT_PORT": str(free_port()),
        "TAILTUNE_MLFLOW_PORT": str(free_port()),
        "PREFECT_HOME": str(tmp_path / "prefect-home"),
    }


def servers(verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "infra/servers.py"), verb],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_up_twice_then_down(environment: dict[str, str], tmp_path: Path) -> None:
    prefect = f"http://127.0.0.1:{environment['TAILTUNE_PREFECT_PORT']}"
    mlflow = f"http://127.0.0.1:{environment['TAILTUNE_MLFLOW_PORT']}"
    try:
        up = servers("up", environment)
        assert up.returncode == 0, up.stdout + up.stderr
        assert up.stderr == ""
        assert f"  export PREFECT_API_URL={prefect}/api\n" in up.stdout
        assert f"  export TAILTUNE_TRACKING_URI={mlflow}\n" in up.stdout
        for url in (f"{prefect}/api/health", f"{mlflow}/health"):
            assert urllib.request.urlopen(url, timeout=10).status == 200
        states = {name: json.loads((tmp_path / f".run/{name}.json").read_text()) for name in ("prefect", "mlflow")}
        family = [one for state in states.values() for one in _family(state["pid"])]
        listening = {c.laddr.ip for one in family for c in one.net_connections("inet") if c.status == "LISTEN"}
        assert listening == {"127.0.0.1"}
        assert (tmp_path / "mlflow/store/mlflow.db").is_file()

        again = servers("up", environment)
        assert again.returncode == 0
        assert again.stdout.count("already up") == 2
        assert states == {
            name: json.loads((tmp_path / f".run/{name}.json").read_text()) for name in ("prefect", "mlflow")
        }
        moved = servers("up", {**environment, "TAILTUNE_PREFECT_PORT": str(free_port())})
        assert moved.returncode == 4
        assert "make down && make up" in moved.stderr
        assert mlflow in servers("ui", environment).stdout
    finally:
        down = servers("down", environment)
    assert down.stdout.split() == ["prefect", "stopped", "mlflow", "stopped"]
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert servers("down", environment).stdout.count("was not up") == 2


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
    mlflow = infra().servers(paths, Settings(mlflow_port=port))[1]
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
    finally:
        stop(process)


def infra() -> ModuleType:
    spec = importlib.util.spec_from_file_location("infra_servers", ROOT / "infra/servers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("verb", ["up", "ui"])
def test_a_port_of_somebody_else_is_named(environment: dict[str, str], tmp_path: Path, verb: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        setting = "TAILTUNE_PREFECT_PORT" if verb == "up" else "TAILTUNE_MLFLOW_PORT"
        done = servers(verb, {**environment, setting: str(port)})
    assert done.returncode == 4
    assert f"port {port}" in done.stderr
    assert f"{setting}={port + 1} make {verb}" in done.stderr
    assert not list((tmp_path / ".run").glob("*.json"))


def test_a_reused_process_number_is_not_ours(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".run").mkdir()
    state = {"pid": os.getpid(), "started": 1.0, "port": 1}
    (tmp_path / ".run/prefect.json").write_text(json.dumps(state))
    (tmp_path / ".run/mlflow.json").write_text("{torn")
    assert servers("down", environment).stdout.count("was not up") == 2
    assert not list((tmp_path / ".run").glob("*.json"))
