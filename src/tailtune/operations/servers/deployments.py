"""What `prefect.yaml` declares, brought to a Prefect server: work pool, deployments, and what people have set stays.

`prefect deploy` does the work. It would put schedules and automations back to what the file says, and make automations
anew, which forget what they wait for. So a deployment is renewed only when its declaration or its flow's file has
changed since (a digest of both is the deployment's version), and what people have switched on or off goes along.

It would also leave there what is declared no more, with its schedule. What is deployed here carries a tag, and of those
that carry it the ones that are not declared any more are removed; deployments that people have made are not touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tailtune.config.paths import Paths
from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.printable import printable
from tailtune.core.private import private_folder
from tailtune.core.progress import Progress
from tailtune.core.secrets import without_passwords
from tailtune.lifecycle.local_server import WITHIN
from tailtune.operations.servers.prefect_api import PrefectApi, named
from tailtune.report.numbers import counted

HEARTBEAT_S = 30
"""How often a run says that it lives, where a worker started it; Prefect's least."""
SILENT_S = 300
"""After how long without a heartbeat a run counts as crashed. A server that restarts must not end a run that lives."""
NO_HEARTBEAT = "a run without heartbeat has crashed"
DECLARED = "from prefect.yaml"
"""Tag of the deployments that are made here."""
_RUNS = 1
"""How many runs the pool of one checkout may have at once: DVC locks it."""
_DEPLOY_S = 600.0
_LINES, _LOOK_S = 15, 0.1
_LOG = ".run/deploy.log"


@dataclass(frozen=True)
class Deployed:
    """One per call: names of the deployments that are new, were renewed, were as declared, or were removed."""

    new: tuple[str, ...]
    renewed: tuple[str, ...]
    same: tuple[str, ...]
    removed: tuple[str, ...] = ()


class Deployment:
    """One per time that what is declared is brought to a server; `prefect deploy` works beside what else is done.

    Args:
        paths: The checkout with `prefect.yaml`.
        api: Of the server.
    """

    def __init__(self, paths: Paths, api: PrefectApi) -> None:
        self._paths, self._api = paths, api
        self._process: subprocess.Popen[bytes] | None = None
        self._due: dict[str, str] | None = None
        self._entrypoints: dict[str, str] = {}
        self._deployed = Deployed((), (), ())

    def begin(self) -> None:
        """Make the work pools that are missing, and start to deploy what is new or has changed.

        Raises:
            ServiceError: Prefect does not answer.
            UsageError: `prefect.yaml` is no YAML, or declares no deployments with a name, a flow and a pool.
        """
        declaration = _declaration(self._paths.root / "prefect.yaml")
        declared = {each["name"]: _tagged(each) for each in declaration["deployments"]}
        self._entrypoints = {name: each["entrypoint"] for name, each in declared.items()}
        for pool in sorted({each["work_pool"]["name"] for each in declared.values()}):
            make_pool(self._api, pool)
        there = {row["name"]: row for row in self._api.all_of("deployments/filter") if row["name"] in declared}
        versions = {name: _digest(self._paths, each) for name, each in declared.items()}
        due = [name for name in declared if there.get(name, {}).get("version") != versions[name]]
        self._due = {name: versions[name] for name in due}
        self._deployed = Deployed(
            new=tuple(name for name in due if name not in there),
            renewed=tuple(name for name in due if name in there),
            same=tuple(name for name in declared if name not in due),
        )
        if due:
            enabled = {row["name"]: row["enabled"] for row in self._api.all_of("automations/filter")}
            rows = [as_set_by_people(declared[name], there.get(name, {}), enabled) for name in due]
            rows = [{**row, "version": versions[row["name"]]} for row in rows]
            self._process = _start_prefect(self._paths, self._api, {**declaration, "deployments": rows})

    def finish(self, progress: Progress) -> Deployed:
        """Wait until all is deployed, remove what is declared no more, and make the automation about lost heartbeats.

        Raises:
            ServiceError: Prefect does not answer, or refuses a declaration.
            UsageError: As `begin`.
        """
        if self._due is None:
            self.begin()
        if self._process is not None:
            end = time.monotonic() + _DEPLOY_S
            while self._process.poll() is None and time.monotonic() < end:
                progress.at(0, 0, f"deploying {counted(len(self._due or ()), 'flow')}")
                time.sleep(_LOOK_S)
            if self._process.poll() != 0:
                self.abort()
                raise _not_deployed(self._paths)
            there = {row["name"]: row["version"] for row in self._api.all_of("deployments/filter")}
            if any(there.get(name) != version for name, version in (self._due or {}).items()):
                raise _not_deployed(self._paths)
        removed = remove_undeclared(self._api, self._entrypoints)
        _make_heartbeat_automation(self._api)
        return replace(self._deployed, removed=tuple(removed))

    def abort(self) -> None:
        """Stop to deploy."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def make_pool(api: PrefectApi, pool: str) -> None:
    """Make a work pool for one run at a time, unless it is there; then its limit is the user's."""
    body = {"name": pool, "type": "process", "concurrency_limit": _RUNS}
    api.ask("POST", "work_pools/", body, fine=(409,))


def as_set_by_people(
    declared: Mapping[str, Any], there: Mapping[str, Any], enabled: Mapping[str, bool]
) -> dict[str, Any]:
    """A declaration with what people have switched on or off since it was first deployed.

    Args:
        declared: As `prefect.yaml` has it.
        there: The deployment on the server; empty when it is new.
        enabled: Name of an automation → whether it is on.
    """
    made = dict(declared)
    active = {row.get("slug"): row["active"] for row in there.get("schedules", ()) if row.get("slug")}
    if "schedules" in made:
        made["schedules"] = [
            {**row, "active": active[row["slug"]]} if row.get("slug") in active else row for row in made["schedules"]
        ]
    if "triggers" in made:
        made["triggers"] = [
            {**row, "enabled": enabled[row["name"]]} if there and row.get("name") in enabled else row
            for row in made["triggers"]
        ]
    if there.get("paused"):
        made["paused"] = True
    return made


def remove_undeclared(api: PrefectApi, entrypoints: Mapping[str, str]) -> list[str]:
    """Remove deployments that were made here and are declared no more, with their automations; their runs stay.

    Args:
        api: Of the server.
        entrypoints: Name of a declared deployment → its flow.

    Returns:
        Their names.
    """
    made = api.all_of("deployments/filter", {"deployments": {"tags": {"all_": [DECLARED]}}})
    gone = [row for row in made if entrypoints.get(row["name"]) != row["entrypoint"]]
    for row in gone:
        api.ask("DELETE", f"automations/owned-by/prefect.deployment.{row['id']}")
        api.ask("DELETE", f"deployments/{row['id']}", fine=(404,))
    return [row["name"] for row in gone]


def _tagged(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {**declared, "tags": [*(declared.get("tags") or ()), DECLARED]}


def end_left_over(api: PrefectApi, pool: str, worker: str) -> list[str]:
    """Mark runs of a pool as crashed that nobody works at, because its worker has ended; those they began, too.

    Not while another worker polls the same pool: the runs may be its own.

    Args:
        api: Of the server.
        pool: The work pool.
        worker: Name of the worker that has ended.

    Returns:
        Names of the runs.
    """
    workers = api.ask("POST", f"work_pools/{named(pool)}/workers/filter", {}, fine=(404,)) or []
    if any(row["status"] == "ONLINE" and row["name"] != worker for row in workers):
        return []
    at_work = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
    runs = api.all_of("flow_runs/filter", {"flow_runs": {"state": at_work}})
    ended = [run for run in runs if _outermost(api, run)["work_pool_name"] == pool]
    for run in ended:
        cancelled = run["state"]["type"] == "CANCELLING"
        state = {
            "type": "CANCELLED" if cancelled else "CRASHED",
            "name": "Cancelled" if cancelled else "Crashed",
            "message": "Its worker ended before it did.",
        }
        api.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": state, "force": True})
    return [run["name"] for run in ended]


def _outermost(api: PrefectApi, run: dict[str, Any]) -> dict[str, Any]:
    """The run that a worker started: one within a flow, or the life of a retrain, belongs to no pool itself."""
    while True:
        task, tags = run["parent_task_run_id"], run.get("tags") or ()
        outer = next((tag.removeprefix(WITHIN) for tag in tags if tag.startswith(WITHIN)), None)
        if task:
            outer = api.ask("GET", f"task_runs/{task}")["flow_run_id"]
        above = api.ask("GET", f"flow_runs/{outer}", fine=(404, 422)) if outer else None
        if above is None:
            return run
        run = above


def _declaration(file: Path) -> dict[str, Any]:
    try:
        declaration: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        for each in declaration["deployments"]:
            _ = each["name"], each["entrypoint"], each["work_pool"]["name"]
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{file.name}: {error}; expected deployments with name, entrypoint and work_pool.name", f"less {file.name}"
        ) from None
    return declaration


def _digest(paths: Paths, declared: Mapping[str, Any]) -> str:
    """Of a declaration and its flow's file, whose parameters Prefect keeps with the deployment."""
    flow = paths.root / str(declared["entrypoint"]).partition(":")[0]
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True, default=str).encode())
    digest.update(flow.read_bytes())
    return digest.hexdigest()[:12]


def _start_prefect(paths: Paths, api: PrefectApi, declaration: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    file, log = paths.root / ".run" / "prefect.yaml", paths.root / _LOG
    private_folder(file.parent)
    file.write_text(yaml.safe_dump(dict(declaration), sort_keys=False), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("prefect")), "--no-prompt", "deploy", "--all", "--prefect-file"]
    # Prefect would write this machine's TAILTUNE_ROOT into the deployments; each worker has its own.
    environment = {name: value for name, value in os.environ.items() if name != "TAILTUNE_ROOT"}
    with log.open("wb") as out:
        return subprocess.Popen(  # noqa: S603
            [*command, str(file)],
            env={**environment, "PREFECT_API_URL": api.url},
            cwd=paths.root,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _not_deployed(paths: Paths) -> ServiceError:
    log = (paths.root / _LOG).read_text(encoding="utf-8", errors="replace")
    tail = printable(without_passwords("\n".join(log.splitlines()[-_LINES:])))
    return ServiceError(f"prefect.yaml: `prefect deploy` failed:\n{tail}", f"less {_LOG}")


def _make_heartbeat_automation(api: PrefectApi) -> None:
    """The automation that Prefect's documentation has for runs whose process was killed; one that is there stays."""
    if any(row["name"] == NO_HEARTBEAT for row in api.all_of("automations/filter")):
        return
    ends = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]
    beat = "prefect.flow-run.heartbeat"
    api.ask(
        "POST",
        "automations/",
        {
            "name": NO_HEARTBEAT,
            "description": f"Its process was killed, or its machine is away: nothing was heard of it for {SILENT_S} s.",
            "trigger": {
                "type": "event",
                "posture": "Proactive",
                "match": {"prefect.resource.id": "prefect.flow-run.*"},
                "for_each": ["prefect.resource.id"],
                "after": [beat],
                "expect": [beat, *ends],
                "threshold": 1,
                "within": SILENT_S,
            },
            "actions": [
                {
                    "type": "change-flow-run-state",
                    "state": "CRASHED",
                    "message": f"No heartbeat for {SILENT_S} seconds: its process was killed, or its machine is away.",
                }
            ],
        },
    )
