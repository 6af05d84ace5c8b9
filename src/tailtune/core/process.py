"""The start and the end of a process: few collections, SIGTERM as Ctrl-C, and no orphans."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and after SIGTERM."""
LEAVING_S = 5.0
"""How long a stage whose parent has died may take to note what it has cost."""

_NEW_OBJECTS = 100_000
"""How many objects come between two collections; Python's own 700 costs a fifth of the time that imports take."""


def collect_rarely() -> None:
    """Let the garbage collector run less often: what imports make lives as long as the process."""
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def free_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave(code: int) -> NoReturn:
    """End this process at once, with what it has written: taking torch and its like apart takes more than a second.

    No `atexit` function runs, so whoever needs a clean end (a server, a queue of events) has had it.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: what ends in order at Ctrl-C ends in order at this."""


def end_in_order_at_sigterm() -> None:
    """Raise `Terminated` in the main thread at the first SIGTERM; a handler that somebody else has set stays."""
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


@contextmanager
def in_order_at_sigterm() -> Iterator[None]:
    """The same for a while, in place of a handler that somebody else has set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _terminate:  # after a SIGTERM, later ones are not heard
            signal.signal(signal.SIGTERM, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block has ended: something is half done meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, frame: arrived.append(number)) for number in numbers]
    try:
        yield
    finally:
        for caught, handler in zip(numbers, before, strict=True):
            signal.signal(caught, handler)
        if arrived:
            os.kill(os.getpid(), arrived[0])


def _terminate(*_: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)  # a second one, to the whole group, must not stop the clean-up
    raise Terminated


def interrupted_code(error: BaseException) -> int:
    """The exit code of an interrupted process: 143 if SIGTERM led to the error, else 130."""
    return TERMINATED if any(isinstance(cause, Terminated) for cause in causes(error)) else INTERRUPTED


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, then what led to it, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def leave_with(parent: int, grace_s: float = 0.0) -> None:
    """End this process when its parent has ended, so that no orphan writes into `build/`.

    Args:
        parent: The number of the process that started this one.
        grace_s: How long it may take to end in order, as at SIGTERM; at once when 0.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        if grace_s:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(grace_s)
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()
