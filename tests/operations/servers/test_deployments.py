"""What is declared reaches Prefect once, and what people have switched on or off stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.operations.servers.deployments import Deployment, as_set_by_people, end_left_over, remove_undeclared
from tailtune.operations.servers.prefect_api import PrefectApi

WEEKLY = {"cron": "0 3 * * 1", "slug": "weekly", "active": False}
DRIFT = {"name": "drift starts retraining", "type": "event"}


def test_a_new_deployment_is_as_declared() -> None:
    declared = {"name": "retraining", "schedules": [WEEKLY], "triggers": [DRIFT]}
    assert as_set_by_people(declared, {}, {DRIFT["name"]: False}) == declared


def test_what_was_switched_stays() -> None:
    there = {"schedules": [{"slug": "weekly", "active": True, "cron": "1 1 * * *"}], "paused": True}
    made = as_set_by_people({"schedules": [WEEKLY], "triggers": [DRIFT]}, there, {DRIFT["name"]: False})
    assert made["schedules"] == [{**WEEKLY, "active": True}]
    assert made["triggers"] == [{**DRIFT, "enabled": False}]
    assert made["paused"]


def test_a_schedule_that_is_new_is_as_declared() -> None:
    nightly = {"cron": "0 1 * * *", "slug": "nightly", "active": True}
    there = {"schedules": [{"slug": "weekly", "active": True}]}
    assert as_set_by_people({"schedules": [nightly, {"cron": "1 1 1 1 1"}]}, there, {})["schedules"] == [
        nightly,
        {"cron": "1 1 1 1 1"},
    ]


class Server(PrefectApi):
    """Answers with what a test put there; notes the states that are set."""

    rows: Mapping[str, Any]
    states: dict[str, str]

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, fine: object = ()) -> Any:
        if path.endswith("/set_state"):
            assert body is not None
            self.states[path.split("/")[1]] = body["state"]["type"]
            return None
        return self.rows[path]


def server(workers: list[dict[str, str]]) -> Server:
    def run(name: str, pool: str | None, state: str = "RUNNING", task: str | None = None) -> dict[str, Any]:
        return {"id": name, "name": name, "work_pool_name": pool, "parent_task_run_id": task, "state": {"type": state}}

    runs = [
        run("outer", "local"), run("stopping", "local", "CANCELLING"), run("by-hand", None),
        run("inner", None, task="t1"), run("of-another-pool", "team"), run("of-a-hand", None, task="t2"),
        {**run("life", None), "tags": ["within:outer"]}, {**run("life-by-hand", None), "tags": ["within:by-hand"]},
    ]  # fmt: skip
    made = Server("http://127.0.0.1/api")
    rows = {
        "work_pools/local/workers/filter": workers,
        "flow_runs/filter": runs,
        "flow_runs/outer": run("outer", "local", "CRASHED"),
        "flow_runs/by-hand": runs[2],
        "task_runs/t1": {"flow_run_id": "outer"},
        "task_runs/t2": {"flow_run_id": "by-hand"},
    }
    object.__setattr__(made, "rows", rows)
    object.__setattr__(made, "states", {})
    return made


def test_runs_of_a_worker_that_ended_are_marked_with_what_they_began() -> None:
    api = server([{"name": "tailtune", "status": "ONLINE"}, {"name": "old", "status": "OFFLINE"}])
    assert end_left_over(api, "local", "tailtune") == ["outer", "stopping", "inner", "life"]
    ended = {"outer": "CRASHED", "stopping": "CANCELLED", "inner": "CRASHED", "life": "CRASHED"}
    assert api.states == ended


def test_runs_may_be_those_of_another_worker_that_polls() -> None:
    api = server([{"name": "somebody", "status": "ONLINE"}])
    assert end_left_over(api, "local", "tailtune") == [] and api.states == {}


def test_what_was_made_here_and_is_declared_no_more_is_removed() -> None:
    deleted = list[str]()

    class Made(PrefectApi):
        def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, fine: object = ()) -> Any:
            if method == "DELETE":
                deleted.append(path)
                return None
            assert body is not None and body["deployments"] == {"tags": {"all_": ["from prefect.yaml"]}}
            files = {"kept": "flows/a.py:a", "gone": "flows/b.py:b", "moved": "flows/before.py:c"}
            return [{"id": name, "name": name, "entrypoint": flow} for name, flow in files.items()]

    declared = {"kept": "flows/a.py:a", "moved": "flows/after.py:other", "new": "flows/d.py:d"}
    assert remove_undeclared(Made("http://127.0.0.1/api"), declared) == ["gone", "moved"]
    of_gone = ["automations/owned-by/prefect.deployment.gone", "deployments/gone"]
    assert deleted[:2] == of_gone and len(deleted) == 4


@pytest.mark.parametrize("text", ["deployments: [", "deployments: {}: x", "x: 1", "", "deployments:\n  - name: a"])
def test_a_declaration_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "prefect.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"(?s)prefect\.yaml: .*expected deployments with name"):
        Deployment(Paths(tmp_path), server([])).begin()
