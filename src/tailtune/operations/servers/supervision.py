"""Processes that outlive the command that started them: start together, wait until they answer, stop, who has the port.

It stands in `operations`, on the floor of what runs by itself, because the command line and `infra/` may both import
from here, and because it knows no library at the rim: what PostgreSQL, Prefect or MLflow need stands with the lists of
programs that are handed to it.

What is known of a running program is one small file: its process number, when that process began (numbers are used
again), its port and a digest of its command. No variable of the environment is written anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from tailtune.core.errors import BusyError, ServiceError
from tailtune.core.locks import alone
from tailtune.core.printable import printable
from tailtune.core.private import private_file, private_folder
from tailtune.core.process import uninterrupted
from tailtune.core.progress import Progress, Silent
from tailtune.core.secrets import without_passwords

HOST = "127.0.0.1"
_LOOK_S, _END_LOOK_S = 0.1, 0.02
_HEALTH_S = 1.0
_LOG_LINES = 15
_MARK = "TAILTUNE_STARTED_AS"
"""Variable by which what a program has started is found, even in a session of its own and after the program's death."""
_CLOCK_S = 10.0
"""By how much the noted start of a process may differ from what the system says later, which counts from the time of
its boot, in whole seconds that move with the clock. No number of a process is used again within this time."""


@dataclass(frozen=True)
class Program:
    """One per process that is started and watched.

    Attributes:
        name: Of its state file and its log.
        command: What is started.
        environment: What it gets besides the environment of the process that starts it.
        cwd: Where it starts; where the starting process is when None.
        port: What it listens on, on loopback; None listens on nothing.
        port_setting: The variable that chooses the port, for the error about one that is in use.
        health: An address that answers with 200, or a function, once the program is ready; None is ready at once.
        prepare: Is called before the start, while what was started before comes up.
        after: Names of programs of the same list that must be ready before this one starts.
        startup_s: How long it may take until it is ready.
        stop_s: How long it may take to end before it is killed.
        stop_signal: What asks it to end.
        stop_children: What becomes of the processes that it has started: asked to end at the same time, asked and
            waited for before itself, or left to it.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold passwords
    cwd: Path | None = None
    port: int | None = None
    port_setting: str = ""
    health: str | Callable[[], bool] | None = None
    prepare: Callable[[], None] | None = None
    after: tuple[str, ...] = ()
    startup_s: float = 300.0
    stop_s: float = 10.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_children: Literal["too", "first", "never"] = "too"

    @property
    def digest(self) -> str:
        """Of its command: whether a program that runs was started in the same way."""
        return hashlib.sha256(json.dumps(self.command).encode()).hexdigest()[:16]

    def is_ready(self) -> bool:
        """Whether it answers."""
        if self.health is None:
            return True
        if callable(self.health):
            return self.health()
        try:
            urllib.request.urlopen(self.health, timeout=_HEALTH_S).close()  # noqa: S310
        except (OSError, ValueError):
            return False
        return True


@dataclass(frozen=True)
class State:
    """One per program that was started: which process it is."""

    pid: int
    started: float
    port: int | None = None
    command: str = ""


class Supervisor:
    """One per folder of state files and logs.

    Args:
        folder: Made, and readable by its owner only, if it is missing.
        start: The command that starts the programs, for errors.
        stop: The command that stops them.
    """

    def __init__(self, folder: Path, start: str, stop: str) -> None:
        self.folder, self._start, self._stop = folder, start, stop

    def log(self, program: Program) -> Path:
        """What it prints; `NAME.before.log` beside it is of the start before."""
        return self.folder / f"{program.name}.log"

    def state(self, program: Program) -> State | None:
        """What the last start noted; None without one, or where the file is torn."""
        try:
            values = json.loads(self._state_file(program).read_text(encoding="utf-8"))
            return State(int(values["pid"]), float(values["started"]), values.get("port"), values.get("command", ""))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def process(self, program: Program) -> psutil.Process | None:
        """Its process, if that lives."""
        state = self.state(program)
        return None if state is None else _living(state)

    def up(
        self,
        programs: Sequence[Program],
        progress: Progress | None = None,
        finish: Callable[[], object] = lambda: None,
    ) -> dict[str, bool]:
        """Start what does not run, all at once but for what waits for another, and wait until all are ready.

        Args:
            programs: In any order.
            progress: Is shown who is waited for.
            finish: Is called once all are ready; when it fails, what was started now is stopped again.

        Returns:
            Name of a program → whether it was started now.

        Raises:
            ServiceError: A port is in use, a program did not start, or runs and was started in another way. What was
                started now is stopped again.
            BusyError: Another process starts or stops programs of this folder.
            KeyboardInterrupt: It was interrupted; what was started now is stopped again.
        """
        private_folder(self.folder)
        with self._alone():
            started: list[Program] = []
            try:
                self._check(programs)
                self._bring_up(programs, started, progress or Silent())
                finish()
            except BaseException:
                with uninterrupted():
                    self._stop_all(started)
                raise
        names = {program.name for program in started}
        return {program.name: program.name in names for program in programs}

    def down(self, programs: Sequence[Program], progress: Progress | None = None) -> dict[str, bool]:
        """Stop what runs, in the order opposite to the start; also what a program that died has left behind.

        Returns:
            Name of a program → whether there was something to stop.

        Raises:
            BusyError: Another process starts or stops programs of this folder.
        """
        if not self.folder.is_dir():
            return dict.fromkeys((program.name for program in programs), False)
        with self._alone():
            return self._stop_all(programs, progress or Silent())

    def _state_file(self, program: Program) -> Path:
        return self.folder / f"{program.name}.json"

    def _alone(self) -> AbstractContextManager[None]:
        busy = BusyError(f"{self.folder}: another command starts or stops servers here", "wait for it, then run again")
        return alone(self.folder / ".servers.lock", busy)

    def _check(self, programs: Iterable[Program]) -> None:
        """Before anything starts: what can be seen to go wrong."""
        for program in programs:
            state = self.state(program)
            if state is not None and _living(state) is not None:
                self._check_is_same(program, state)
            elif program.port is not None and in_use(program.port) and not self._family(program):
                instead = f"{program.port_setting}={program.port + 1} {self._start}"
                raise ServiceError(
                    f"port {program.port}, wanted for {program.name}, is in use by {_who_listens(program.port)}, which "
                    f"`{self._start}` did not start",
                    f"stop that program, or: {instead}" if program.port_setting else "stop that program",
                )

    def _check_is_same(self, program: Program, state: State) -> None:
        if state.port != program.port:
            what = f"{program.name} is up on port {state.port}, not {program.port}"
        elif state.command and state.command != program.digest:
            what = f"{program.name} is up, but was started with another command than today's"
        else:
            return
        raise ServiceError(what, f"{self._stop} && {self._start}")

    def _bring_up(self, programs: Sequence[Program], started: list[Program], progress: Progress) -> None:
        waiting, starting, ready = list(programs), dict[str, tuple[Program, float]](), set[str]()
        while waiting or starting:
            for program in [each for each in waiting if ready.issuperset(each.after)]:
                waiting.remove(program)
                if self.process(program) is None:
                    self._spawn(program, started)
                starting[program.name] = program, time.monotonic()
            for name, (program, since) in list(starting.items()):
                if self._became_ready(program, since, program in started):
                    del starting[name]
                    ready.add(name)
            if not starting and not any(ready.issuperset(each.after) for each in waiting) and waiting:
                raise ServiceError(f"{waiting[0].name} waits for {', '.join(waiting[0].after)}, which is not started")
            if starting:
                progress.at(0, 0, f"waiting for {', '.join(starting)}")
                time.sleep(_LOOK_S)

    def _became_ready(self, program: Program, since: float, fresh: bool) -> bool:
        """Whether it is ready now.

        Raises:
            ServiceError: It died, or takes too long.
        """
        if self.process(program) is not None:
            if program.is_ready():
                return True
            if time.monotonic() - since < program.startup_s:
                return False
        where = "" if program.port is None else f" on port {program.port}"
        if not fresh:
            raise ServiceError(f"{program.name} runs, but does not answer{where}", f"{self._stop} && {self._start}")
        log = self.log(program)
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
        raise ServiceError(f"{program.name} did not start{where}:\n{printable(without_passwords(tail))}", f"less {log}")

    def _spawn(self, program: Program, started: list[Program]) -> None:
        self._stop_together([program])  # what a process that died has left
        if program.prepare is not None:
            program.prepare()
        log = self.log(program)
        with suppress(FileNotFoundError):
            log.replace(log.with_suffix(".before.log"))
        private_file(log)
        with log.open("ab") as out, uninterrupted():
            process = subprocess.Popen(  # noqa: S603
                program.command,
                env={**os.environ, **program.environment, _MARK: self._mark(program)},
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            started.append(program)
            process.returncode = 0  # it outlives this object, and Python need not warn of that
            began = psutil.Process(process.pid).create_time()
            try:
                self._note(program, State(process.pid, began, program.port, program.digest))
            except OSError:  # a full disk: nobody would find it again
                os.killpg(process.pid, signal.SIGKILL)
                raise

    def _note(self, program: Program, state: State) -> None:
        file = self._state_file(program)
        new = file.with_suffix(".json.new")
        new.write_text(json.dumps(asdict(state)), encoding="utf-8")
        new.replace(file)

    def _stop_all(self, programs: Sequence[Program], progress: Progress | None = None) -> dict[str, bool]:
        """Stop programs, those that need another before that one, all others at the same time."""
        left, stopped = list(programs), dict.fromkeys((program.name for program in programs), False)
        while left:
            needed = {name for program in left for name in program.after}
            now = [program for program in left if program.name not in needed] or left
            if progress is not None:
                progress.at(0, 0, f"stopping {', '.join(p.name for p in now)}")
            stopped |= self._stop_together(now)
            left = [program for program in left if program not in now]
        return stopped

    def _stop_together(self, programs: Sequence[Program]) -> dict[str, bool]:
        families = {program.name: self._family(program) for program in programs}
        children = {program.name: families[program.name][self.process(program) is not None :] for program in programs}
        for program in programs:
            if program.stop_children == "first":
                _ask_to_end(children[program.name], program)
                _wait_for_end(children[program.name], program.stop_s)
        for program in programs:
            alone = program.stop_children == "never" and self.process(program) is not None
            _ask_to_end(families[program.name][:1] if alone else families[program.name], program)
        for program in programs:
            self._end(families[program.name], program)
        return {name: bool(family) for name, family in families.items()}

    def _end(self, family: Sequence[psutil.Process], program: Program) -> None:
        """Wait until a family that was asked to end has done so; kill what does not in time, or came meanwhile."""
        _wait_for_end(family, program.stop_s)
        left = self._family(program)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait_for_end(left, program.stop_s)
        self._state_file(program).unlink(missing_ok=True)

    def _mark(self, program: Program) -> str:
        return str(self.folder.resolve() / program.name)

    def _family(self, program: Program) -> list[psutil.Process]:
        """Its process first, then what that has started; also where the first has died and left the others behind."""
        first = self.process(program)
        family = {} if first is None else {each.pid: each for each in (first, *_children(first))}
        mark = self._mark(program)
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.pid not in family and process.environ().get(_MARK) == mark and _goes_on(process):
                    family[process.pid] = process
        return list(family.values())


def _living(state: State) -> psutil.Process | None:
    try:
        process = psutil.Process(state.pid)
        same = abs(process.create_time() - state.started) < _CLOCK_S and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _wait_for_end(processes: Iterable[psutil.Process], most_s: float) -> None:
    """Wait until processes have ended; one that nobody takes note of, as in a container without an init, has, too."""
    deadline = time.monotonic() + most_s
    while any(map(_goes_on, processes)) and time.monotonic() < deadline:
        time.sleep(_END_LOOK_S)


def _goes_on(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return list(process.children(recursive=True))
    return []


def _ask_to_end(processes: Iterable[psutil.Process], program: Program) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(program.stop_signal)


def in_use(port: int) -> bool:
    """Whether somebody listens on a port of this machine's loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _who_listens(port: int) -> str:
    """The process that listens on a port, where the system says so."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "a program"
