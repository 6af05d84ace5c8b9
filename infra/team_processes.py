"""The services of infra/team/compose.yaml as processes of this machine, for tests and where there is no Docker.

    python infra/team_processes.py up FOLDER --env-file FILE     prints NAME ADDRESS for each service
    python infra/team_processes.py down FOLDER --env-file FILE
    python infra/team_processes.py exec FOLDER --env-file FILE SERVICE COMMAND …     as `docker compose exec` does

Commands, environment, health checks and order are those of the compose file. What differs: a service's name and the
address it listens on become 127.0.0.1, its port a free one, a path in a container a path below FOLDER; limits, users
and restarts are left out; and instead of the entrypoint of PostgreSQL's image, Debian's programs make the data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tailtune.core.errors import TailTuneError, UsageError
from tailtune.core.private import private_file
from tailtune.operations.servers.supervision import HOST, Program, Supervisor

COMPOSE = Path(__file__).with_name("team") / "compose.yaml"
_OWN = ("PREFECT_", "MLFLOW_", "TAILTUNE_", "AWS_", "RCLONE_", "PG", "DVC_", "TEAM_")
"""Variables of the shell that a container would not see."""
_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z_]\w*)(?:(:[-?])([^}]*))?\})")
_HEALTH_S = 10


@dataclass(frozen=True)
class Service:
    """One per service of the compose file, as a process of this machine sees it.

    Attributes:
        command: Entrypoint and command.
        environment: With what env_file names.
        health: The command that succeeds once it is ready; none is ready at once.
        after: Services that must be ready before.
        port: That it listens on.
        folders: Path in the container → path here.
        translate: Makes of a text of the container one for a process here.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    health: tuple[str, ...]
    after: tuple[str, ...]
    port: int | None
    folders: Mapping[str, Path]
    stop_signal: signal.Signals
    translate: Callable[[str], str] = field(repr=False)


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:?why}`, as Compose does.

    Raises:
        UsageError: A variable that is needed is missing or empty.
    """
    if isinstance(value, dict):
        return {key: interpolate(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolate(each, variables) for each in value]
    if not isinstance(value, str):
        return value

    def filled(found: re.Match[str]) -> str:
        dollar, name, kind, rest = found.groups()
        if dollar:
            return "$"
        there = variables.get(name, "")
        if kind == ":?" and not there:
            raise UsageError(f"{name}: not set{f' ({rest})' if rest else ''}", f"write {name}=… into the --env-file")
        return there or (rest if kind == ":-" else "")

    return _REFERENCE.sub(filled, value)


def read_variables(file: Path) -> dict[str, str]:
    """`NAME=value` lines of an environment file; values stand as they are."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def services(folder: Path, variables: Mapping[str, str], compose: Path = COMPOSE) -> list[Service]:
    """The services, on free ports; which ports is kept in the folder.

    Raises:
        UsageError: A variable is missing, or two services expose the same port.
    """
    declared = interpolate(yaml.safe_load(compose.read_text(encoding="utf-8")), variables)
    local = _Local(declared["services"], folder)
    return [_service(name, spec, compose.parent, local, folder) for name, spec in declared["services"].items()]


class _Local:
    """Names, ports and addresses of containers, as those of this machine."""

    def __init__(self, declared: Mapping[str, Any], folder: Path) -> None:
        exposed = {name: int(spec["expose"][0]) for name, spec in declared.items() if spec.get("expose")}
        if len(set(exposed.values())) != len(exposed):
            raise UsageError(f"two services expose the same port: {exposed}", "give each its own")
        known = folder / "ports.json"
        self.ports: dict[str, int] = json.loads(known.read_text()) if known.is_file() else _free_ports(exposed)
        known.write_text(json.dumps(self.ports), encoding="utf-8")
        self._of_port = {str(port): str(self.ports[name]) for name, port in exposed.items()}
        names, numbers = "|".join(exposed), "|".join(self._of_port)
        self._host = re.compile(rf"(?<=[/@=,])(?:{names})(?=:(?:{numbers})\b)|\b0\.0\.0\.0\b")
        self._port = re.compile(rf"(?<![\w.])(?:{numbers})(?![\w.])")

    def text(self, text: str, folders: Mapping[str, Path]) -> str:
        """A text of a container for a process here."""
        text = self._port.sub(lambda found: self._of_port[found[0]], self._host.sub(HOST, text))
        for inside, here in sorted(folders.items(), reverse=True):
            text = re.sub(rf"(?<![\w./-]){re.escape(inside)}(?![\w.-])", str(here).replace("\\", r"\\"), text)
        return text


def _free_ports(names: Sequence[str] | Mapping[str, int]) -> dict[str, int]:
    probes = {name: socket.socket() for name in names}
    for probe in probes.values():
        probe.bind((HOST, 0))
    ports = {name: int(probe.getsockname()[1]) for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


def _service(name: str, spec: Mapping[str, Any], beside: Path, local: _Local, folder: Path) -> Service:
    folders = {}
    for volume in spec.get("volumes", ()):
        source, inside = volume.split(":")[:2]
        folders[inside] = _bound(beside / source, name, local, folder) if source.startswith(".") else folder / source
    command = [*spec.get("entrypoint", ()), *spec["command"]]
    environment: dict[str, str] = {}
    for file in spec.get("env_file", ()):
        environment |= read_variables(beside / file)
    environment |= {key: str(value) for key, value in spec.get("environment", {}).items()}
    test = spec.get("healthcheck", {}).get("test", ["NONE"])
    here = {key: local.text(value, folders) for key, value in environment.items()}
    return Service(
        name=name,
        command=tuple(local.text(word, folders) for word in command),
        environment={**here, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])},
        health=tuple(local.text(word, folders) for word in test[1:]),
        after=tuple(spec.get("depends_on", ())),
        port=local.ports.get(name),
        folders=folders,
        stop_signal=signal.Signals[spec.get("stop_signal", "SIGTERM")],
        translate=partial(local.text, folders=folders),
    )


def _bound(source: Path, name: str, local: _Local, folder: Path) -> Path:
    """A copy of a file that is mounted from here, with the addresses of this machine."""
    copied = folder / "mounted" / name / source.name
    copied.parent.mkdir(parents=True, exist_ok=True)
    copied.write_text(local.text(source.read_text(encoding="utf-8"), {}), encoding="utf-8")
    return copied


def program(service: Service, startup_s: float = 300.0) -> Program:
    """The process of a service."""
    for here in service.folders.values():
        if not here.is_file():
            here.mkdir(parents=True, exist_ok=True)
    command = service.command
    if service.name == "postgres":
        command = _postgres(service)
    return Program(
        name=service.name,
        command=command,
        environment=service.environment,
        port=service.port,
        health=lambda: _is_healthy(service),
        after=service.after,
        startup_s=startup_s,
        stop_s=60.0,
        stop_signal=service.stop_signal,
        stop_children="never",  # they end theirs themselves, as in a container
    )


def run_in(service: Service, words: Sequence[str]) -> int:
    """Run a command where a service lives, with its environment; it prints where we print. Returns its exit code."""
    environment = _environment(service)
    translated = [service.translate(word) for word in words]
    if service.name == "postgres":
        translated = [*_as_postgres(), *translated]
        environment |= {"PGHOST": str(service.folders["/var/lib/postgresql/data"]), "PGPORT": str(service.port)}
    return subprocess.run(translated, env=environment, check=False).returncode  # noqa: S603


def _environment(service: Service) -> dict[str, str]:
    return {**os.environ, **service.environment, "PATH": f"{_postgres_path()}{service.environment['PATH']}"}


def _is_healthy(service: Service) -> bool:
    if not service.health:
        return True
    try:
        done = subprocess.run(  # noqa: S603 - what the compose file says
            service.health,
            env=_environment(service),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_HEALTH_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def postgres_programs() -> Path | None:
    """The folder with PostgreSQL's programs: on the path, or where Debian puts them; None without any."""
    called = shutil.which("initdb")
    if called is not None:
        return Path(called).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def _postgres_path() -> str:
    programs = postgres_programs()
    return "" if programs is None else f"{programs}{os.pathsep}"


def _postgres(service: Service) -> tuple[str, ...]:
    """What the image's entrypoint does: make the data folder once, run the scripts, then start the server in it.

    Raises:
        UsageError: PostgreSQL's programs are not installed.
    """
    programs = postgres_programs()
    if programs is None:
        raise UsageError("PostgreSQL's programs are missing", "apt-get install postgresql")
    data = service.folders["/var/lib/postgresql/data"]
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    options = ("-c", f"unix_socket_directories={data}")
    start = (*_as_postgres(), str(programs / "postgres"), "-D", str(data), *options, *service.command[1:])
    if not (data / "PG_VERSION").is_file():
        _initialise(service, programs, data)
    return start


def _initialise(service: Service, programs: Path, data: Path) -> None:
    environment = {**os.environ, **service.environment, "PGHOST": str(data), "PGPORT": "5432"}
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    secret = data.with_name("postgres-password")
    private_file(secret)
    secret.write_text(service.environment["POSTGRES_PASSWORD"], encoding="utf-8")
    if os.geteuid() == 0:
        shutil.chown(secret, "postgres", "postgres")
    words = [*_as_postgres(), "initdb", "-D", str(data), "-U", "postgres", f"--pwfile={secret}", "--no-sync"]
    words += service.environment.get("POSTGRES_INITDB_ARGS", "").split()
    try:
        _done(words, environment, data)
    finally:
        secret.unlink()
    control = [*_as_postgres(), "pg_ctl", "-D", str(data), "-w", "-s", "-l", str(data / "initialising.log")]
    alone = f"-c listen_addresses='' -c unix_socket_directories={data}"
    _done([*control, "-o", alone, "start"], environment, data)
    try:
        for inside, script in service.folders.items():
            if inside.startswith("/docker-entrypoint-initdb.d/"):
                _done(["sh", str(script)], environment, data)
    finally:
        _done([*control, "-m", "fast", "stop"], environment, data)


def _as_postgres() -> tuple[str, ...]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--")


def _done(words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
    done = subprocess.run(  # noqa: S603
        words, env=environment, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise UsageError(f"{' '.join(words[:8])} …: {done.stderr.decode(errors='replace').strip()}")


def _chosen(there: Sequence[Service], only: Sequence[str] | None, with_needed: bool) -> list[Service]:
    """The services that are named, for a start with those that they need, as Compose does; all without names."""
    by_name = {each.name: each for each in there}
    names = list(by_name) if only is None else list(only)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UsageError(f"no such service: {', '.join(unknown)}", f"one of {', '.join(by_name)}")
    for name in names:  # grows while it is read
        names += [needed for needed in by_name[name].after if with_needed and needed not in names]
    return [each for each in there if each.name in names]


def main(words: Sequence[str] | None = None) -> int:
    """Start or stop; errors go to stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "down", "exec"):
        of_verb = verbs.add_parser(verb)
        of_verb.add_argument("folder", type=Path)
        of_verb.add_argument("--env-file", type=Path, default=COMPOSE.with_name(".env"))
        if verb == "exec":
            of_verb.add_argument("service")
            of_verb.add_argument("words", nargs=argparse.REMAINDER, help="the command to run where the service lives")
        else:
            of_verb.add_argument("--only", nargs="*", default=None, help="services; all when left out")
    given = parser.parse_args(words)
    folder = given.folder.absolute()
    for name in [name for name in os.environ if name.startswith(_OWN)]:
        del os.environ[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = services(folder, read_variables(given.env_file))
        if given.verb == "exec":
            (service,) = _chosen(there, [given.service], with_needed=False)
            return run_in(service, given.words)
        chosen = _chosen(there, given.only, with_needed=given.verb == "up")
        again = f"python infra/team_processes.py {{}} {given.folder}"
        supervisor = Supervisor(folder / "run", again.format("up"), again.format("down"))
        if given.verb == "up":
            supervisor.up([program(each) for each in chosen])
        else:
            supervisor.down([program(each) for each in chosen])
        for each in chosen:
            print(each.name, f"{HOST}:{each.port}")
    except TailTuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
