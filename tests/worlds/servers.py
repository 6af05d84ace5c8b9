"""One Prefect and one MLflow server a run, on loopback, for all workers; they end with the run."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from worlds import stores
from worlds.once import locked, shared

BIN = Path(sys.executable).parent


def prefect(factory: pytest.TempPathFactory) -> str:
    """Address of the API of the run's Prefect server."""

    def command(folder: Path, port: int) -> list[str]:
        return [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]

    def environment(folder: Path) -> dict[str, str]:
        return prefect_environment(folder)

    return _address(factory, "prefect", "/api", command, environment)


def prefect_environment(home: Path) -> dict[str, str]:
    """What a Prefect process gets: nothing of the developer's own, and a database in that folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TAILTUNE_"))}
    return {
        **kept,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def mlflow(factory: pytest.TempPathFactory) -> str:
    """Address of the run's MLflow server, which keeps the artifacts itself."""

    def command(folder: Path, port: int) -> list[str]:
        shutil.copyfile(stores.empty(factory) / "mlflow.db", folder / "server.db")
        words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
        words += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
        return [*words, "--artifacts-destination", str(folder / "artifacts")]

    def environment(folder: Path) -> dict[str, str]:
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": path}

    return _address(factory, "mlflow", "", command, environment)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _address(
    factory: pytest.TempPathFactory,
    name: str,
    below: str,
    command: Callable[[Path, int], Sequence[str]],
    environment: Callable[[Path], Mapping[str, str]],
) -> str:
    """Where the run's server of that name answers; it is started by whoever needs it first."""
    folder = shared(factory) / f"{name}-server"
    known = folder / "address"
    with locked(folder):
        if not known.exists():
            port = free_port()
            address = f"http://127.0.0.1:{port}{below}"
            pid = _keep(command(folder, port), environment(folder), folder / "log")
            _wait_for(f"{address}/health", pid, folder / "log")
            known.write_text(address, encoding="utf-8")
    return known.read_text(encoding="utf-8")


def _keep(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a server that ends when this test run does, however that ends."""
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    words = [sys.executable, str(Path(__file__).with_name("keeper.py")), str(run), *command]
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(sys.executable, words, environment, file_actions=actions, setsid=True)


def _wait_for(url: str, pid: int, log: Path, most_s: float = 180.0) -> None:
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), log.read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {most_s} s:\n{log.read_text(encoding='utf-8')}")
