"""A project to publish for, and a store that was made once for all tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.mlflow import examples
from tailtune.config.settings import quiet_environment
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.home import prepare
from tailtune.tasks.use_case import UseCase

quiet_environment()

# MLflow 3.17 with pandas 3.1, and DVC with its pygtrie; nothing of ours.
THIRD_PARTY = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning:mlflow"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:DeprecationWarning:mlflow"),
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning:dvc"),
]


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty embedded store; a copy of it is a moved store, which `prepare` mends."""
    folder = tmp_path_factory.mktemp("made") / "store"
    folder.mkdir()
    prepare(f"sqlite:///{folder / 'mlflow.db'}")
    return folder


@pytest.fixture
def case(tmp_path: Path, made_store: Path) -> UseCase:
    made = examples.make_case(tmp_path / "project")
    shutil.copytree(made_store, made.paths.project.mlflow_store)
    return made


@pytest.fixture
def uri(case: UseCase) -> str:
    return f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}"


@pytest.fixture
def tracker(case: UseCase, uri: str) -> Tracker:
    return connect(uri, case)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real MLflow server on loopback that keeps the artifacts itself."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "server-artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environment, "PATH": path}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}", process
        finally:
            stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], most_s: float = 120.0) -> None:
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer in {most_s} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: the group it leads."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(10)
