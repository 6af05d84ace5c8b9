"""The process that people start: it opens the socket, keeps workers alive, follows the registry, and moves the log."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tailtune.core.errors import BusyError, TailTuneError, UsageError
from tailtune.core.private import private_folder
from tailtune.services import store
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import StoredVersion, find
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import Moved, keep_moving
from tailtune.serving.counters import Counters
from tailtune.serving.current import Role
from tailtune.serving.plan import ServerPlan

_LOOK_S = 2.0
_AGAIN_S = 1.0
_MOST_AGAIN_S = 30.0
_END_S = 15.0
log = logging.getLogger("tailtune.serving")


@dataclass(frozen=True)
class Registry:
    """Where versions are looked up.

    Attributes:
        uri: The tracking store.
        model: Registered model's name.
        aliases: Role → alias.
        cache: Folder for versions' files.
    """

    uri: str
    model: str
    aliases: Mapping[Role, str]
    cache: Path


class Follower:
    """Looks the aliases up, fetches what they name, and says in `current.json` what is to answer.

    A registry that does not answer, or files that are not those that were registered, change nothing.

    Args:
        registry: Where to look.
        plan: Of the server.
    """

    def __init__(self, registry: Registry, plan: ServerPlan) -> None:
        self._registry, self._plan = registry, plan
        self._named: dict[Role, dict[str, str]] = {}
        self._seen: dict[Role, StoredVersion | None] = {}
        self.problem = ""

    def look(self) -> None:
        """Look once."""
        try:
            changed = [self._look(role, alias) for role, alias in self._registry.aliases.items()]
        except TailTuneError as error:
            if error.message != self.problem:
                self.problem = error.message
                log.error("%s; what answers stays", error.message)
            return
        self.problem = ""
        if any(changed) or not self._plan.current.is_file():
            store.write_json(self._plan.current, self._named)

    def _look(self, role: Role, alias: str) -> bool:
        """Whether another version has the alias now."""
        stored = find(self._registry.uri, self._registry.model, alias)
        if role in self._seen and stored == self._seen[role]:
            return False
        if stored is None:
            changed = self._named.pop(role, None) is not None
        else:
            folder = fetch(self._registry.uri, stored, self._registry.cache)
            self._named[role] = {"version": stored.version, "folder": str(folder)}
            changed = True
        self._seen[role] = stored  # only now: files that could not be fetched are tried again
        return changed


class Workers:
    """The processes that answer: one that ends is started again, later and later while it keeps ending.

    Args:
        command: Starts one.
        count: How many.
        descriptor: Of the socket, which they inherit.
        on_end: Takes the number of a process that has ended.
    """

    def __init__(self, command: list[str], count: int, descriptor: int, on_end: Callable[[int], None]) -> None:
        self._command, self._descriptor, self._on_end = command, descriptor, on_end
        self._running: list[subprocess.Popen[bytes] | None] = [None] * count
        self._began, self._again_s, self._after = [0.0] * count, [_AGAIN_S] * count, [0.0] * count

    def tend(self) -> None:
        """Start what does not run."""
        now = time.monotonic()
        for place, worker in enumerate(self._running):
            if worker is not None and worker.poll() is not None:
                self._on_end(worker.pid)
                lived = now - self._began[place]
                self._again_s[place] = _AGAIN_S if lived > 60 else min(self._again_s[place] * 2, _MOST_AGAIN_S)
                self._after[place] = now + (self._again_s[place] if lived < 5 else 0)
                log.error("worker %s ended (%s); another one takes its place", worker.pid, worker.returncode)
                worker = self._running[place] = None
            if worker is None and now >= self._after[place]:
                self._running[place] = subprocess.Popen(self._command, pass_fds=[self._descriptor])  # noqa: S603
                self._began[place] = now

    def end(self) -> None:
        """Let them answer what has come in, then end; whatever has not ended in time is killed."""
        running = [worker for worker in self._running if worker is not None]
        for worker in running:
            worker.terminate()
        deadline = time.monotonic() + _END_S
        for worker in running:
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: The address cannot be taken.
    """
    try:
        return socket.create_server((host, port), backlog=2048, reuse_port=False)
    except OSError as error:
        hint = "choose another --port, or end what uses it"
        raise UsageError(f"{host}:{port}: {error.strerror or error}", hint) from None


def serve(
    plan: ServerPlan,
    registry: Registry,
    listening: socket.socket,
    workers: int,
    prediction_log: str,
    keep_days: int,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        plan: Of the server.
        registry: Where its versions are looked up.
        listening: The socket.
        workers: Processes that answer.
        prediction_log: URL of the log.
        keep_days: Days after which logged rows are deleted.
        environment: Of the workers, besides this process' own.
        say: Takes lines for the terminal.

    Raises:
        BusyError: This use case is served from here already.
    """
    private_folder(plan.state)
    with _alone(plan.state):
        shutil.rmtree(plan.metrics, ignore_errors=True)
        counters, follower, ended = Counters(plan.metrics), Follower(registry, plan), threading.Event()
        plan.current.unlink(missing_ok=True)
        file = plan.state / "plan.json"
        file.write_text(plan.model_dump_json(), encoding="utf-8")
        os.environ.update(environment)
        command = [sys.executable, "-m", "tailtune.serving.worker", str(file), str(listening.fileno())]
        listening.set_inheritable(True)
        processes = Workers(command, workers, listening.fileno(), counters.forget)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        follower.look()
        processes.tend()
        moving = threading.Thread(
            target=_move, args=(plan, prediction_log, keep_days, counters, ended), name="log", daemon=True
        )
        moving.start()
        looked = time.monotonic()
        while not ended.wait(0.2):
            processes.tend()
            if time.monotonic() - looked >= _LOOK_S:
                follower.look()
                looked = time.monotonic()
        say("ending: requests that have come in are answered")
        listening.close()
        processes.end()
        ended.set()
        moving.join(_END_S)
        _move_last(plan, prediction_log, counters)


def _move(plan: ServerPlan, url: str, keep_days: int, counters: Counters, ended: threading.Event) -> None:
    problem = [""]

    def report(moved: Moved | TailTuneError) -> None:
        if isinstance(moved, TailTuneError):
            if moved.message != problem[0]:
                log.error("prediction log: %s; answers wait in the spool", moved.message)
            problem[0] = moved.message
        else:
            problem[0] = ""
            counters.stored.inc(moved.rows)

    keep_moving(lambda: PredictionLog(url), plan.spool, ended, keep_days={plan.use_case: keep_days}, report=report)


def _move_last(plan: ServerPlan, url: str, counters: Counters) -> None:
    """What the workers have spooled while they ended."""
    ended = threading.Event()
    ended.set()
    _move(plan, url, 0, counters, ended)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold a server's folder.

    Raises:
        BusyError: Another server holds it.
    """
    import fcntl

    descriptor = os.open(state / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{state}: this use case is served already", "end that server first") from None
        yield
    finally:
        os.close(descriptor)
