"""A project to publish for, and a store that was made once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from worlds import servers, stores

from services.mlflow import examples
from tailtune.config.settings import quiet_environment
from tailtune.services.mlflow import Tracker, connect
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
    return stores.empty(tmp_path_factory)


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a real MLflow server; other tests use it too."""
    return servers.mlflow(tmp_path_factory)


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
