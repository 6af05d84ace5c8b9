"""The process that people start: it opens the socket, keeps workers alive, follows the registry, and moves the log."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from tailtune.core.errors import BusyError, TailTuneError, UsageError
from tailtune.core.locks import alone
from tailtune.core.private import private_folder
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import Moved, keep_moving
from tailtune.serving.costs import CostNotes, ServingUse
from tailtune.serving.counters import Counters
from tailtune.serving.follower import Follower, Registry
from tailtune.serving.plan import ServerPlan
from tailtune.serving.processes import Workers

_TEND_S, _END_S, _AGAIN_S, _NICE = 0.2, 15.0, 60.0, 15
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
log = logging.getLogger("tailtune.serving")


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: The address cannot be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        hint = "choose another --port, or end what uses it"
        raise UsageError(f"{host}:{port}: {getattr(error, 'strerror', None) or error}", hint) from None


def serve(
    plan: ServerPlan,
    registry: Registry,
    listening: socket.socket,
    workers: int,
    prediction_log: str,
    keep_days: int,
    environment: Mapping[str, str],
    note: Callable[[ServingUse], None],
    say: Callable[[str], None],
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    Args:
        plan: Of the server.
        registry: Where its versions are looked up.
        listening: The socket.
        workers: Processes that answer.
        prediction_log: URL of the log.
        keep_days: Days after which logged rows are deleted.
        environment: Of the workers, besides this process' own.
        note: Writes what was used into the ledger.
        say: Takes lines for the terminal.

    Raises:
        BusyError: This use case is served from here already.
    """
    private_folder(plan.state)
    with _alone(plan.state):
        shutil.rmtree(plan.metrics, ignore_errors=True)
        ended = threading.Event()
        for number in _ENDING:
            signal.signal(number, lambda *_: ended.set())
        mover = _Mover(plan, prediction_log, Counters(plan.metrics))
        follower = Follower(registry, plan.current)
        processes = Workers(_command(plan, listening), workers, [listening.fileno()], mover.counters.forget)
        costs = CostNotes(mover.counters, note)
        os.environ.update(environment)
        following = threading.Thread(target=_giving_way, args=(follower.follow, ended), name="registry", daemon=True)
        noting = threading.Thread(target=_giving_way, args=(costs.keep_noting, ended), name="costs", daemon=True)
        moving = threading.Thread(target=_giving_way, args=(mover.move, ended, keep_days), name="log", daemon=True)
        say("ready to take requests; Ctrl-C ends it")
        try:
            following.start()
            noting.start()
            moving.start()
            processes.tend()
            while not ended.wait(_TEND_S):
                processes.tend()
            say("ending: requests that have come in are answered")
        finally:
            ended.set()
            listening.close()
            processes.end()
            moving.join(_END_S)
            mover.move(ended)  # what the workers have spooled while they ended
            costs.note()
        say("ended")


def _alone(state: Path) -> AbstractContextManager[None]:
    """Hold a server's folder.

    Raises:
        BusyError: Another server holds it.
    """
    return alone(state / "lock", BusyError(f"{state}: this use case is served already", "end that server first"))


def _command(plan: ServerPlan, listening: socket.socket) -> list[str]:
    """Starts a worker."""
    file = plan.state / "plan.json"
    file.write_text(plan.model_dump_json(), encoding="utf-8")
    listening.set_inheritable(True)
    return [sys.executable, "-m", "tailtune.serving.worker", str(file), str(listening.fileno())]


def _giving_way(work: Callable[..., None], *arguments: Any) -> None:
    """Work when the workers leave a core free: moving a second's rows at once delayed one answer in fifty."""
    with suppress(OSError, AttributeError):  # not on this system
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone
    work(*arguments)


class _Mover:
    """Moves what workers spool into the prediction log."""

    def __init__(self, plan: ServerPlan, url: str, counters: Counters) -> None:
        self._plan, self._url, self.counters = plan, url, counters
        self._began_us = time.time_ns() // 1000
        self._problem = ""

    def move(self, ended: threading.Event, keep_days: int | None = None) -> None:
        """Move until it is time to end, and then once more.

        Args:
            ended: Set when it is time.
            keep_days: Days after which logged rows are deleted; None deletes none.
        """
        keep = {} if keep_days is None else {self._plan.use_case: keep_days}
        while True:
            try:
                keep_moving(
                    lambda: PredictionLog(self._url),
                    self._plan.spool,
                    ended,
                    keep_days=keep,
                    report=self._report,
                    on_rows=self._count,
                )
                return
            except Exception:  # answers wait in the spool meanwhile
                log.exception("moving the prediction log failed; it is tried again")
                if ended.wait(_AGAIN_S):
                    return

    def _count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count what was answered since this server started; the spool may hold rows of before."""
        own = (row["route"] != "shadow" and row["at_us"] >= self._began_us for row in rows)
        self.counters.stored.inc(sum(own))

    def _report(self, moved: Moved | TailTuneError) -> None:
        problem = moved.message if isinstance(moved, TailTuneError) else ""
        if problem and problem != self._problem:
            log.error("prediction log: %s; answers wait in the spool", problem)
        elif self._problem and not problem:
            log.info("prediction log: it takes rows again")
        self._problem = problem
