"""Prefect and MLflow on this machine, for `make up`, `make down` and `make ui`. Loopback only, SQLite, no telemetry."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings, quiet_environment
from tailtune.core.errors import ServiceError, TailTuneError
from tailtune.services.mlflow.home import open_client

HOST = "127.0.0.1"
STARTUP_S = 180.0
STOP_S = 10.0


@dataclass(frozen=True)
class Server:
    """One per server of `make up`.

    Attributes:
        run: Folder of process files, logs and the Prefect database.
        command: What is started; the programs are this environment's.
        port_setting: What chooses the port.
        health: Path that answers 200 once the server is ready.
        export: How a run is pointed at it.
    """

    name: str
    run: Path
    command: tuple[str, ...]
    environment: dict[str, str]
    port: int
    port_setting: str
    health: str
    export: str

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}"

    @property
    def state(self) -> Path:
        """Which process it is, and on which port."""
        return self.run / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.run / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """The process that an earlier `make up` started, if it lives."""
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            process = psutil.Process(state["pid"])
            same = abs(process.create_time() - state["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return None
        return process if same else None

    def recorded_port(self) -> int | None:
        """The port it was started on, which the settings of now may not name."""
        try:
            return int(json.loads(self.state.read_text(encoding="utf-8"))["port"])
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            urllib.request.urlopen(f"{self.url}{self.health}", timeout=2).close()  # noqa: S310
        except OSError:
            return False
        return True


def servers(paths: Paths, settings: Settings) -> tuple[Server, Server]:
    """Prefect, which keeps schedules and shows runs, and MLflow on the store that embedded runs write too."""
    run = paths.root / ".run"
    programs = Path(sys.executable).parent
    prefect = Server(
        name="prefect",
        run=run,
        command=(str(programs / "prefect"), "server", "start", "--host", HOST, "--port", str(settings.prefect_port)),
        environment={
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{run / 'prefect.db'}",
            "PREFECT_API_URL": f"http://{HOST}:{settings.prefect_port}/api",
        },
        port=settings.prefect_port,
        port_setting="TAILTUNE_PREFECT_PORT",
        health="/api/health",
        export=f"export PREFECT_API_URL=http://{HOST}:{settings.prefect_port}/api",
    )
    mlflow = Server(
        name="mlflow",
        run=run,
        command=(str(programs / "mlflow"), *_mlflow(paths, settings.mlflow_port)),
        environment={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # 2 processes and 0.5 GB instead of 15 and 3
        port=settings.mlflow_port,
        port_setting="TAILTUNE_MLFLOW_PORT",
        health="/health",
        export=f"export TAILTUNE_TRACKING_URI=http://{HOST}:{settings.mlflow_port}",
    )
    return prefect, mlflow


def _mlflow(paths: Paths, port: int) -> tuple[str, ...]:
    store = paths.mlflow_store
    # No artifact proxy: its `mlflow-artifacts:/` locations could not be read by runs without this server.
    return (
        "server", "--workers", "1", "--host", HOST, "--port", str(port),
        "--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", "--no-serve-artifacts",
        "--default-artifact-root", str(store / "artifacts"),
    )  # fmt: skip


def up(paths: Paths, settings: Settings) -> None:
    """Start what does not run yet, wait until all answer, and say how to use them.

    Raises:
        ServiceError: A port is taken by somebody else, or a server does not start.
    """
    started = [(server, _start(paths, server)) for server in servers(paths, settings)]
    for server, fresh in started:
        _wait(server)
        print(f"{server.name:8} {server.url}  {'started' if fresh else 'already up'}; log: {paths.shown(server.log)}")
    print("\nPoint runs of this shell at them:")
    for server, _ in started:
        print(f"  {server.export}")
    print("Stop them:  make down")


def _start(paths: Paths, server: Server) -> bool:
    if server.process() is not None:
        if server.recorded_port() == server.port:
            return False
        raise ServiceError(
            f"{server.name} is up on port {server.recorded_port()}, not {server.port}", "make down && make up"
        )
    if _taken(server.port):
        raise ServiceError(
            f"port {server.port}, wanted for {server.name}, is in use by a program that `make up` did not start",
            f"stop that program, or: {server.port_setting}={server.port + 1} make up",
        )
    server.run.mkdir(exist_ok=True)
    if server.name == "mlflow":
        open_client(f"sqlite:///{paths.mlflow_store / 'mlflow.db'}")
    with server.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            server.command,
            env={**os.environ, **server.environment},
            cwd=paths.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    state = {"pid": process.pid, "started": psutil.Process(process.pid).create_time(), "port": server.port}
    server.state.write_text(json.dumps(state), encoding="utf-8")
    return True


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _wait(server: Server) -> None:
    deadline = time.monotonic() + STARTUP_S
    while not server.healthy():
        if server.process() is None or time.monotonic() > deadline:
            tail = "\n".join(server.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            _stop(server)
            raise ServiceError(f"{server.name} did not start on port {server.port}:\n{tail}", f"less {server.log}")
        time.sleep(0.2)


def down(paths: Paths, settings: Settings) -> None:
    """Stop what `make up` started; nothing else is touched."""
    for server in servers(paths, settings):
        print(f"{server.name:8} {'stopped' if _stop(server) else 'was not up'}")


def _stop(server: Server) -> bool:
    process = server.process()
    if process is None:
        server.state.unlink(missing_ok=True)
        return False
    family = [process, *process.children(recursive=True)]
    os.killpg(process.pid, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=STOP_S)
    for one in left:
        one.kill()
    psutil.wait_procs(left, timeout=STOP_S)
    server.state.unlink(missing_ok=True)
    return True


def ui(paths: Paths, settings: Settings) -> None:
    """MLflow alone, in the foreground, on the embedded store; Ctrl-C ends it.

    Raises:
        ServiceError: The port is in use.
    """
    mlflow = servers(paths, settings)[1]
    if mlflow.process() is not None:
        print(f"MLflow is up already:  http://{HOST}:{mlflow.recorded_port()}")
        return
    if _taken(mlflow.port):
        raise ServiceError(
            f"port {mlflow.port} is in use", f"stop that program, or: {mlflow.port_setting}={mlflow.port + 1} make ui"
        )
    open_client(f"sqlite:///{paths.mlflow_store / 'mlflow.db'}")
    print(f"MLflow:  {mlflow.url}   (Ctrl-C ends it)", flush=True)
    os.chdir(paths.root)
    os.execve(mlflow.command[0], mlflow.command, {**os.environ, **mlflow.environment})  # noqa: S606


def main(words: Sequence[str] | None = None) -> int:
    """Run one of the three; errors go to stderr."""
    verbs = {"up": up, "down": down, "ui": ui}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=verbs)
    quiet_environment()
    try:
        verbs[parser.parse_args(words).verb](Paths.find(), Settings())
    except TailTuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
