"""What `tailtune up` and `tailtune down` print: what runs, where to look, how to use it."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.operations.servers import laptop
from tailtune.operations.servers.deployments import Deployed
from tailtune.report.terminal.progress import ConsoleProgress
from tailtune.services.mlflow.address import runs_tables

NAMES = {"prefect": "Prefect", "mlflow": "MLflow", "worker": "worker"}


def start(paths: Paths) -> Iterator[str]:
    """Start servers and worker, deploy, and say how to use them.

    Raises:
        ServiceError: As `operations.servers.laptop.up`.
        BusyError: As there.
    """
    settings = Settings()
    with ConsoleProgress("up", "start Prefect, MLflow and a worker on this machine", settings.progress) as progress:
        fresh, deployed = laptop.up(paths, settings, progress)
    api, mlflow = laptop.prefect_api(settings), laptop.mlflow_url(settings)
    where = {"prefect": api.ui, "mlflow": mlflow, "worker": f"polls the pool `{laptop.POOL}`"}
    for name, shown in NAMES.items():
        yield f"{shown:8} {where[name]}  {'started' if fresh[name] else 'already up'}; log: .run/{name}.log"
    yield f"Deployments: {deployments(deployed)}"
    yield ""
    yield "Look at:"
    yield f"  {api.ui}/deployments  schedules, and a button to run each"
    tables = {
        name: address
        for name, address in runs_tables(mlflow, settings.mlflow_ui or mlflow).items()
        if name in paths.use_cases()
    }
    for use_case, address in tables.items():
        yield f"  {address}  runs of {use_case}"
    if not tables:
        yield f"  {mlflow}/#/experiments  runs, once there are some"
    yield ""
    yield "Point this shell at them, then run one:"
    yield f"  export PREFECT_API_URL={api.url} TAILTUNE_TRACKING_URI={mlflow}"
    use_case = next(iter(paths.use_cases()), "USE-CASE")
    yield f"  prefect deployment run lifecycle/lifecycle -p use_case={use_case}"
    yield "Stop all:  tailtune down"


def deployments(deployed: Deployed) -> str:
    """How many deployments there are, and which were touched."""
    counts = {"new": deployed.new, "renewed": deployed.renewed, "as declared": deployed.same}
    counts |= {"removed": deployed.removed}
    return ", ".join(
        f"{len(names)} {what}" + (f" ({', '.join(names)})" if what in ("renewed", "removed") else "")
        for what, names in counts.items()
        if names
    )


def stop(paths: Paths) -> Iterator[str]:
    """Stop the worker, then the servers.

    Raises:
        BusyError: Another command starts or stops servers here.
    """
    settings = Settings()
    with ConsoleProgress("down", "stop the worker, then the servers", settings.progress) as progress:
        stopped = laptop.down(paths, settings, progress)
    for name, was_up in stopped.items():
        yield f"{NAMES[name]:8} {'stopped' if was_up else 'was not up'}"
