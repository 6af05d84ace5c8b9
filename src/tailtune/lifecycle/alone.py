"""One process at a time works on a use case of a checkout: a whole life, and in it one stage after the other.

A life holds `build/<use-case>/.life` from beginning to end, so that nothing else starts between two of its stages. A
stage holds `.lock` besides, also in a process of its own that outlives a killed life for seconds.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

import psutil

from tailtune.config.paths import CasePaths
from tailtune.core.errors import BusyError
from tailtune.core.locks import is_taken
from tailtune.core.private import private_folder
from tailtune.core.process import LEAVING_S, leave_with


@contextmanager
def alone_in_life(paths: CasePaths) -> Iterator[None]:
    """Hold a use case for a whole life; a process that dies in any way lets go of it.

    Raises:
        BusyError: Another run or stage is at work on it.
    """
    with _open(paths, paths.life_lock) as lock:
        if _is_taken(lock):
            raise _busy(paths, lock)
        _sign(lock, "tailtune run")
        yield


@contextmanager
def alone_in_stage(paths: CasePaths, stage: str) -> Iterator[None]:
    """Hold a use case for a stage, of the life that this process is a part of or by itself.

    Raises:
        BusyError: Another run or stage is at work on it.
    """
    if "DVC_STAGE" in os.environ:
        leave_with(os.getppid(), LEAVING_S)
    with _open(paths, paths.life_lock) as life, _open(paths, paths.lock) as lock:
        if not _is_taken(life):
            _sign(life, f"tailtune {stage}")
        elif not _is_of_this_life(life):
            raise _busy(paths, life)
        if _is_taken(lock):
            raise _busy(paths, lock)
        _sign(lock, stage)
        yield


@contextmanager
def _open(paths: CasePaths, file: Path) -> Iterator[TextIO]:
    private_folder(paths.build.parent)
    private_folder(paths.build)
    with file.open("a+", encoding="utf-8") as lock:
        yield lock


def _sign(lock: TextIO, work: str) -> None:
    lock.truncate(0)
    lock.write(f"process {os.getpid()} ({work}, since {datetime.now():%Y-%m-%d %H:%M:%S})\nstarted by {os.getppid()}")
    lock.flush()


def _busy(paths: CasePaths, lock: TextIO) -> BusyError:
    holder = _written(lock).partition("\n")[0].strip()
    return BusyError(
        f"{paths.use_case}: another run is at work on it, {holder or 'another process'}; nothing was changed. One run "
        "per use case and checkout",
        "wait until it has ended, or stop it, then run the same command again",
    )


def _is_taken(lock: TextIO) -> bool:
    """Whether the lock is somebody else's; one whose parent has died is about to let go of it."""
    patience = time.monotonic() + LEAVING_S + 1
    while True:
        if not is_taken(lock.fileno()):
            return False
        if time.monotonic() > patience or not _is_orphan(lock):
            return True
        time.sleep(0.1)


def _is_orphan(lock: TextIO) -> bool:
    pids = re.match(r"process (\d+) .*\nstarted by (\d+)", _written(lock))
    try:
        return pids is not None and psutil.Process(int(pids[1])).ppid() != int(pids[2])
    except psutil.NoSuchProcess:
        return True


def _is_of_this_life(life: TextIO) -> bool:
    """Whether the process that holds a life's lock is this one, or one that this one descends from."""
    pid = re.match(r"process (\d+) ", _written(life))
    me = psutil.Process()
    return pid is not None and int(pid[1]) in {each.pid for each in (me, *me.parents())}


def _written(lock: TextIO) -> str:
    lock.seek(0)
    return lock.read()
