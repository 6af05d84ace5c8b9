"""The servers of infra/team/compose.yaml as processes, and a person's checkout that uses them."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import yaml
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/team.md"
NAME = "support-tickets"
_PASSWORDS = (
    "POSTGRES_PASSWORD", "PREFECT_DB_PASSWORD", "MLFLOW_DB_PASSWORD", "STORE_DB_PASSWORD", "S3_ACCESS_KEY",
    "S3_SECRET_KEY", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_SECRET_KEY",
)  # fmt: skip


class Team:
    """One per story: the servers' folder, the repository that they clone, and a person's checkout of it.

    Attributes:
        folder: Of everything.
        desk: The person's checkout.
        environment: Of the person's commands.
    """

    def __init__(self, folder: Path, slack: str) -> None:
        self.folder, self.desk, self.repository = folder, folder / "desk", folder / "repository.git"
        self._state, self._env_file = folder / "servers", folder / ".env"
        self._state.mkdir(exist_ok=True)
        self.variables = {name: secrets.token_hex(12) for name in _PASSWORDS}
        self.variables |= {
            "PREFECT_AUTH": f"team:{secrets.token_hex(12)}",
            "TEAM_REPOSITORY": str(self.repository),
            "TAILTUNE_SLACK_WEBHOOK": slack,
        }
        self._processes = _load("team_processes", ROOT / "infra/team_processes.py")
        if self._env_file.is_file():  # servers of before
            self.variables = self._processes.read_variables(self._env_file)
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in self.variables.items()), "utf-8")
        self._env_file.chmod(0o600)
        self.services = {each.name: each for each in self._processes.services(self._state, self.variables)}
        own = {name: value for name, value in os.environ.items() if not name.startswith(self._processes._OWN)}
        self.environment: dict[str, str] = {
            **own,
            **self.services["worker"].environment,
            "TAILTUNE_ROOT": str(self.desk),
            "HOME": str(folder),
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def address(self, name: str) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self.services[name].port}"

    def up(self, *names: str) -> None:
        """Start services and wait until they are healthy."""
        self._servers("up", "--only", *names)

    def down(self, *names: str) -> None:
        """Stop services; all without names."""
        self._servers("down", "--only", *(names or self.services))

    def follow(self, beginning: str) -> str:
        """Do in a service what the guide's line says that begins so. Returns what it printed, errors last."""
        (line,) = [each for each in GUIDE.read_text(encoding="utf-8").splitlines() if each.startswith(beginning)]
        program, compose, verb, *words = shlex.split(line)
        assert (program, compose) == ("docker", "compose") and verb in ("exec", "run")
        return self._servers("exec", *words[words[0] == "--rm" :])

    def back_up(self, folder: Path) -> None:
        """What the guide copies: the database's dump, which it has made, and two volumes."""
        folder.mkdir(mode=0o700)
        for volume in ("s3", "serve"):
            shutil.copytree(self._state / volume, folder / volume, symlinks=True)
        shutil.copyfile(self._state / "postgres/backup.sql", folder / "backup.sql")

    def lose_all(self) -> None:
        """Every volume is empty."""
        for service in self.services.values():
            for here in service.folders.values():
                if here.is_dir():
                    shutil.rmtree(here)

    def bring_back(self, folder: Path) -> None:
        """Put a backup in place; the database's dump is to be run."""
        for volume in ("s3", "serve"):
            shutil.copytree(folder / volume, self._state / volume, symlinks=True)
        self.up("postgres", "s3")
        shutil.copyfile(folder / "backup.sql", self._state / "postgres/backup.sql")

    def _servers(self, verb: str, *more: str) -> str:
        words = [sys.executable, str(ROOT / "infra/team_processes.py"), verb, str(self._state)]
        words += ["--env-file", str(self._env_file), *more]
        done = subprocess.run(words, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def log(self, name: str) -> str:
        """What a service has printed."""
        return (self._state / "run" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def checkout_of(self, name: str) -> Path:
        """The checkout of worker or prediction server."""
        return self._state / name / "checkout"

    def pids(self) -> dict[str, int]:
        """Service → its process."""
        files = (self._state / "run").glob("*.json")
        return {file.stem: json.loads(file.read_text(encoding="utf-8"))["pid"] for file in files}

    def kill(self, name: str) -> None:
        """End a service and all that it has started with SIGKILL; when it returns, they are gone."""
        first = psutil.Process(self.pids()[name])
        family = [first, *first.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=30)

    def logged_rows(self) -> tuple[int, int]:
        """Rows in the prediction log, and how many different ones."""
        made = create_engine(
            self.environment["TAILTUNE_PREDICTION_LOG"], connect_args={"password": self.variables["STORE_DB_PASSWORD"]}
        )
        query = "SELECT count(*), count(DISTINCT (request_id, row)) FROM prediction WHERE route = 'model'"
        with made.connect() as connection:
            rows, different = connection.execute(text(query)).one()
        made.dispose()
        return rows, different

    def make_desk(self) -> None:
        """A repository with this project's files, one use case, and no rows yet."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/", "examples/")):
                (self.desk / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.desk / name)
        shutil.rmtree(self.desk / "models/insurance-claims")
        (self.desk / "data.dvc").unlink(missing_ok=True)
        graph = (self.desk / "dvc.yaml").read_text(encoding="utf-8")
        only = f"use_cases:\n      {NAME}: {{answers: labels.yaml}}\n"
        (self.desk / "dvc.yaml").write_text(re.sub(r"use_cases:\n(      [\w-]+: .*\n)+", only, graph), "utf-8")
        self.does("git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.repository))
        self.does("git", "init", "--quiet", "--initial-branch=main")
        self.does("git", "remote", "add", "origin", str(self.repository))
        self.does("git", "config", "user.name", "Ana")
        self.does("git", "config", "user.email", "ana@example.com")
        self.does("dvc", "remote", "add", "--local", "--default", "team", self.environment["TEAM_DVC_REMOTE"])
        endpoint = self.environment["TEAM_DVC_ENDPOINT"]
        self.does("dvc", "remote", "modify", "--local", "team", "endpointurl", endpoint)

    def change(self, file: str, edit: Mapping[str, Mapping[str, Any]]) -> None:
        """Change keys of sections of a YAML file at the desk."""
        path = self.desk / file
        spec: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section, keys in edit.items():
            spec[section] = {**(spec.get(section) or {}), **keys}
        path.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def push(self, message: str, rows: bool = True) -> None:
        """Commit what is at the desk and push it, rows too."""
        self.does("git", "add", "--all")
        self.does("git", "commit", "--quiet", "--message", message)
        if rows:
            self.does("dvc", "push", "--quiet", "data.dvc")
        self.does("git", "push", "--quiet", "origin", "main")

    def does(self, *words: str, timeout: float = 600) -> str:
        """Run a command at the desk, which must succeed. Returns what it printed."""
        done = subprocess.run(
            words, cwd=self.desk, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        shown = done.stdout[-4000:] + done.stderr[-4000:]
        assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{shown}"
        return done.stdout

    def prefect(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask Prefect's API."""
        return self._ask(f"{self.address('prefect')}/api/{path}", self.variables["PREFECT_AUTH"], body)

    def mlflow(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask MLflow's API."""
        pair = f"admin:{self.variables['MLFLOW_ADMIN_PASSWORD']}"
        return self._ask(f"{self.address('mlflow')}/api/2.0/mlflow/{path}", pair, body)

    def _ask(self, url: str, pair: str, body: Mapping[str, Any] | None) -> Any:
        headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=60) as answer:
            return json.load(answer)


def _load(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
