"""What `tailtune up` starts on one machine: Prefect, MLflow on the store that embedded runs write too, and a worker.

Loopback only, SQLite, no telemetry.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError
from tailtune.core.progress import Progress
from tailtune.operations.servers.deployments import HEARTBEAT_S, Deployed, Deployment, end_left_over
from tailtune.operations.servers.prefect_api import PrefectApi, named
from tailtune.operations.servers.supervision import HOST, Program, Supervisor, in_use
from tailtune.services.mlflow.home import prepare

POOL = "local"
WORKER = "tailtune"
_PREFECT_APP = "tailtune.lifecycle.local_server:only_this_machine"
_HOSTS = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"  # MLflow's own list has 10.*, which 10.example.com fits
_POLL_S = 5
_STOP_WORKER_S = 60.0
"""How long a run may take to end in order: training writes no more than it has, a retrain takes its worktree away."""


def supervisor(paths: Paths) -> Supervisor:
    """Of the servers of a checkout."""
    return Supervisor(paths.root / ".run", "tailtune up", "tailtune down")


def prefect_api(settings: Settings) -> PrefectApi:
    """Of the Prefect server on this machine."""
    return PrefectApi(f"http://{HOST}:{settings.prefect_port}/api")


def mlflow_url(settings: Settings) -> str:
    """Of the MLflow server on this machine."""
    return f"http://{HOST}:{settings.mlflow_port}"


def prefect_server(paths: Paths, settings: Settings) -> Program:
    """Keeps schedules and shows runs. `prefect server start` would obey any page that a browser shows."""
    api, database = prefect_api(settings), paths.root / ".run" / "prefect.db"
    return Program(
        name="prefect",
        command=(
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            _PREFECT_APP,
            "--log-level",
            "warning",
            "--host",
            HOST,
            "--port",
            str(settings.prefect_port),
        ),
        environment={
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
            "PREFECT_API_URL": api.url,
        },
        cwd=paths.root,
        port=settings.prefect_port,
        port_setting="TAILTUNE_PREFECT_PORT",
        health=f"{api.url}/health",
    )


def mlflow_server(paths: Paths, settings: Settings) -> Program:
    """One worker without job execution: 2 processes and 0.5 GB instead of 15 and 3.

    There is no artifact proxy: its `mlflow-artifacts:/` locations could not be read by runs without this server.
    """
    store = paths.mlflow_store
    uri = f"sqlite:///{store / 'mlflow.db'}"
    words = (
        "server", "--workers", "1", "--host", HOST, "--port", str(settings.mlflow_port),
        "--backend-store-uri", uri, "--no-serve-artifacts", "--default-artifact-root", str(store / "artifacts"),
        "--allowed-hosts", _HOSTS,
    )  # fmt: skip
    return Program(
        name="mlflow",
        command=(_program("mlflow"), *words),
        environment={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        cwd=paths.root,
        port=settings.mlflow_port,
        port_setting="TAILTUNE_MLFLOW_PORT",
        health=f"{mlflow_url(settings)}/health",
        prepare=lambda: prepare(uri),
    )


def worker(paths: Paths, settings: Settings, prepare: Callable[[], None] | None = None) -> Program:
    """Runs flows in this checkout, one at a time."""
    api, watched = prefect_api(settings), supervisor(paths)

    def polls() -> bool:
        state = watched.state(program)
        return state is not None and _polls_since(api, state.started)

    program = Program(
        name="worker",
        command=(_program("prefect"), "worker", "start", "--pool", POOL, "--type", "process", "--name", WORKER),
        environment={
            "TAILTUNE_ROOT": str(paths.root),
            "TAILTUNE_TRACKING_URI": mlflow_url(settings),
            "PREFECT_API_URL": api.url,
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
            "PREFECT_WORKER_QUERY_SECONDS": str(_POLL_S),
            "PREFECT_LOCAL_STORAGE_PATH": str(paths.root / ".run" / "results"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        },
        cwd=paths.root,
        health=polls,
        prepare=prepare,
        after=("prefect", "mlflow"),
        stop_s=_STOP_WORKER_S,
        stop_children="first",  # it would kill its run before that has noted its end
    )
    return program


def up(paths: Paths, settings: Settings, progress: Progress) -> tuple[dict[str, bool], Deployed]:
    """Start what does not run, and deploy what is new or has changed while the worker comes up.

    Returns:
        Name of a program → whether it was started now; and what was deployed.

    Raises:
        ServiceError: A port is in use, something does not start, or Prefect refuses a declaration; what was started now
            is stopped again.
        BusyError: Another process starts or stops servers here.
        KeyboardInterrupt: It was interrupted; what was started now is stopped again.
    """
    api = prefect_api(settings)
    deployment, deployed = Deployment(paths, api), list[Deployed]()

    def before_the_worker() -> None:
        for run in end_left_over(api, POOL, WORKER):
            progress.say(f"{run}: its worker had died; now marked as crashed")
        deployment.begin()

    programs = (
        prefect_server(paths, settings),
        mlflow_server(paths, settings),
        worker(paths, settings, before_the_worker),
    )
    try:
        fresh = supervisor(paths).up(programs, progress, lambda: deployed.append(deployment.finish(progress)))
    finally:
        deployment.abort()
    return fresh, deployed[0]


def down(paths: Paths, settings: Settings, progress: Progress) -> dict[str, bool]:
    """Stop what `up` started, the worker first: its run ends in order. Name of a program → whether it was up."""
    watched, prefect = supervisor(paths), prefect_server(paths, settings)
    stopped = watched.down([worker(paths, settings)], progress)
    if watched.process(prefect) is not None:
        with suppress(ServiceError):  # of a server that hangs
            end_left_over(prefect_api(settings), POOL, WORKER)
    return stopped | watched.down([mlflow_server(paths, settings), prefect], progress)


def ui(paths: Paths, settings: Settings, show: Callable[[str], None]) -> None:
    """MLflow alone, in the foreground, on the embedded store; Ctrl-C ends it. Returns where it is up already.

    Raises:
        ServiceError: The port is in use.
    """
    mlflow, watched = mlflow_server(paths, settings), supervisor(paths)
    state = watched.state(mlflow)
    if state is not None and watched.process(mlflow) is not None:
        show(f"MLflow is up already:  http://{HOST}:{state.port}")
        return
    if in_use(settings.mlflow_port):
        raise ServiceError(
            f"port {mlflow.port} is in use",
            f"stop that program, or: {mlflow.port_setting}={settings.mlflow_port + 1} tailtune ui",
        )
    if mlflow.prepare is not None:
        mlflow.prepare()
    show(f"MLflow:  {mlflow_url(settings)}   (Ctrl-C ends it)")
    os.chdir(paths.root)
    os.execve(mlflow.command[0], mlflow.command, {**os.environ, **mlflow.environment})  # noqa: S606


def _polls_since(api: PrefectApi, at_s: float) -> bool:
    """Whether the worker has asked for work since then."""
    with suppress(ServiceError):
        for row in api.ask("POST", f"work_pools/{named(POOL)}/workers/filter", {}, fine=(404,)) or ():
            if row["name"] == WORKER and (seen := row["last_heartbeat_time"]):
                return datetime.fromisoformat(seen).timestamp() > at_s
    return False


def _program(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).with_name(name))
