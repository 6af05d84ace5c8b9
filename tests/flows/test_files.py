"""The flow files agree with the stage table, with prefect.yaml, and with how Prefect loads them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ruamel.yaml import YAML

from tailtune.lifecycle.table import FAMILIES

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "flows").glob("*.py"))
DEPLOYMENTS: list[dict[str, Any]] = YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"]

OTHERS = ("lifecycle", "drift_monitoring", "retraining", "silent_monitor")

LOAD = """
import json, sys
from prefect.flows import load_flow_from_entrypoint
names = {entry: load_flow_from_entrypoint(entry, use_placeholder_flow=False).name for entry in sys.argv[1:]}
import lifecycle
print(json.dumps({"names": names, "order": [family.name for family in lifecycle.FAMILIES]}))
"""


def test_there_are_flow_files() -> None:
    assert {path.stem for path in FILES} >= {*FAMILIES, "lifecycle"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_flow_file_bears_the_name_of_a_package(path: Path) -> None:
    """Prefect's loader puts it into sys.modules under its stem, where it would hide the package."""
    assert path.stem not in sys.stdlib_module_names
    assert PathFinder.find_spec(path.stem, [sysconfig.get_path("purelib"), str(ROOT), str(ROOT / "src")]) is None


def test_telemetry_is_off_before_prefect_is_imported() -> None:
    """Flows have Prefect from the module that sees to it."""
    for path in FILES:
        imports = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
        assert not [name for name in names if (name or "").partition(".")[0] == "prefect"], path
    source = (ROOT / "src/tailtune/lifecycle/orchestration.py").read_text()
    assert source.index("\nquiet_environment()") < source.index("\nfrom prefect")


def test_prefect_loads_every_deployment_and_lifecycle_has_the_order_of_the_table() -> None:
    entries = [deployment["entrypoint"] for deployment in DEPLOYMENTS]
    assert sorted(entries) == sorted(f"flows/{name}.py:{name}" for name in (*FAMILIES, *OTHERS))
    done = subprocess.run([sys.executable, "-c", LOAD, *entries], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert loaded["order"] == list(FAMILIES)
    assert {deployment["entrypoint"]: deployment["name"] for deployment in DEPLOYMENTS} == loaded["names"]


def test_only_watching_is_on_by_itself_and_one_at_a_time_is_the_pools_business() -> None:
    assert DEPLOYMENTS
    for deployment in DEPLOYMENTS:
        assert deployment["description"].endswith(".")
        assert deployment["tags"] == ["tailtune", deployment["name"]]
        assert "concurrency_limit" not in deployment, "a run is cancelled when the server forgets its lease"
        assert deployment["work_pool"] == {"name": "local"}
        on = any(schedule["active"] for schedule in deployment.get("schedules", []))
        assert on == (deployment["name"] == "drift_monitoring")
    assert "lifecycle" in [deployment["name"] for deployment in DEPLOYMENTS if deployment.get("schedules")]


def test_a_monitor_that_is_silent_starts_the_flow_that_tells_people() -> None:
    from prefect.events import DeploymentEventTrigger, Posture

    from tailtune.operations.orchestration import LOOKED

    (deployment,) = [each for each in DEPLOYMENTS if each["name"] == "silent_monitor"]
    trigger = DeploymentEventTrigger.model_validate(deployment["triggers"][0])
    assert trigger.posture == Posture.Proactive
    assert trigger.after == trigger.expect == {LOOKED}
    assert trigger.within.total_seconds() == 26 * 3600


def test_drift_starts_the_retrain_of_the_use_case_that_drifted() -> None:
    """As Prefect's server fills the parameters in from the event."""
    from prefect.events import DeploymentEventTrigger, Posture
    from prefect.server.events.schemas.events import ReceivedEvent
    from prefect.server.utilities.user_templates import render_user_template_sync

    from tailtune.operations.orchestration import DETECTED

    (deployment,) = [each for each in DEPLOYMENTS if each["name"] == "retraining"]
    schedules = {each["slug"]: each for each in deployment["schedules"]}
    assert {slug: each["active"] for slug, each in schedules.items()} == {"weekly": False, "labels": False}
    assert schedules["labels"]["parameters"] == {"because": "labels"}
    trigger = DeploymentEventTrigger.model_validate(deployment["triggers"][0])
    assert trigger.posture == Posture.Reactive and trigger.threshold == 1
    assert trigger.expect == {DETECTED}
    resource = {"prefect.resource.id": "model.support-tickets"}
    event = ReceivedEvent.model_validate(
        {"event": DETECTED, "occurred": "2026-11-03T02:31:00Z", "resource": resource, "id": str(uuid4()),
         "payload": {"use_case": "support-tickets"}}
    )  # fmt: skip
    assert trigger.match.matches(event.resource)
    assert trigger.parameters is not None
    filled = {name: render_user_template_sync(text, {"event": event}) for name, text in trigger.parameters.items()}
    assert filled == {"use_case": "support-tickets", "because": "drift"}


def test_no_machine_path_stands_in_prefect_yaml() -> None:
    config = YAML(typ="safe").load(ROOT / "prefect.yaml")
    step, before_run = config["pull"]
    assert step == {"prefect.deployments.steps.set_working_directory": {"directory": "{{ $TAILTUNE_ROOT }}"}}
    assert before_run["prefect.deployments.steps.run_shell_script"]["script"].count("TEAM_BEFORE_RUN") == 1
