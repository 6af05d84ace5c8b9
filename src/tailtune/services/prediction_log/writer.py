"""The writer: moves what workers spooled into the store, each row once, whatever is killed or away meanwhile.

Beside the rows of some bytes of a segment, their transaction stores how far the segment has been moved. Killed before
it, the bytes are read again; killed after it, reading goes on behind them; a segment's file is removed last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from tailtune.core.days import day_of
from tailtune.core.errors import BusyError, TailTuneError
from tailtune.core.locks import alone, is_taken
from tailtune.core.logged import LogCounts
from tailtune.core.private import private_folder
from tailtune.services.prediction_log.lines import Batch, answered_in
from tailtune.services.prediction_log.spool import SEGMENT
from tailtune.services.prediction_log.store import PredictionLog

_CHUNK_BYTES = 4 << 20
_LOCK = ".writer.lock"
_DAY_S, _LONGEST_WAIT_S = 86_400, 60.0
_TRUSTED_S, _SET_S = 3_600.0, 60.0
"""A clock is trusted when for so long it has not gone otherwise than time does, by so many seconds or more."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One per pass over the spool.

    Attributes:
        rows: Predictions that went into the store.
        feedback: Right answers that did.
        not_logged: Rows that workers noted as answered and not logged.
        torn: Lines that could not be read.
    """

    rows: int = 0
    feedback: int = 0
    not_logged: int = 0
    torn: int = 0

    def plus(self, batch: Batch) -> Moved:
        """With what a batch held."""
        return Moved(
            self.rows + len(batch.predictions),
            self.feedback + len(batch.feedback),
            self.not_logged + sum(batch.not_logged.values()),
            self.torn + batch.torn,
        )


OnRows = Callable[[Sequence[Mapping[str, Any]]], None]


def move_spools(
    log: PredictionLog, folder: Path, chunk_bytes: int = _CHUNK_BYTES, on_rows: OnRows = lambda _: None
) -> Moved:
    """Move all that is spooled, also of workers that go on writing, and remove the segments of those that do not.

    Args:
        log: Where to.
        folder: The spool folder; it may be missing.
        chunk_bytes: Bytes of a transaction; a longer line is one of its own.
        on_rows: Takes the predictions of each transaction, once they are stored.

    Returns:
        What was moved. Called again at once, it moves nothing.

    Raises:
        BusyError: Another writer is at it.
        ServiceError: The store does not answer; what was not moved stays in the spool.
    """
    if not folder.is_dir():
        return Moved()
    with _alone(folder):
        return _move_all(log, folder, chunk_bytes, on_rows)


def _move_all(log: PredictionLog, folder: Path, chunk_bytes: int, on_rows: OnRows) -> Moved:
    moved = Moved()
    for unseen in folder.glob(f".*{SEGMENT}.part"):
        _remove_left(unseen)
    for segment in sorted(folder.glob(f"*{SEGMENT}")):
        moved = _move(log, segment, chunk_bytes, moved, on_rows)
    return moved


def _move(log: PredictionLog, segment: Path, chunk_bytes: int, moved: Moved, on_rows: OnRows) -> Moved:
    fd = os.open(segment, os.O_RDWR | os.O_CLOEXEC)
    try:
        finished = not is_taken(fd)  # asked first: then nothing is appended after what is read below
        at = log.moved_bytes(segment.name)
        for end, batch in _batches(fd, at, chunk_bytes, finished):
            if not log.take(segment.name, at, end, batch, day_of(time.time_ns() // 1000)):
                return moved
            on_rows(batch.predictions)
            moved, at = moved.plus(batch), end
        if finished:
            segment.unlink()
            log.forget(segment.name)
    finally:
        os.close(fd)
    return moved


def _batches(fd: int, at: int, chunk_bytes: int, finished: bool) -> Iterator[tuple[int, Batch]]:
    """The lines of a segment from a place on, some at a time, each time with the place where they end."""
    wanted_bytes = chunk_bytes
    while chunk := os.pread(fd, wanted_bytes, at):
        whole = chunk.rfind(b"\n") + 1
        if not whole and len(chunk) == wanted_bytes:
            wanted_bytes *= 2  # a line that is longer than a chunk
            continue
        rest_is_torn = finished and len(chunk) < wanted_bytes and whole < len(chunk)
        if not whole and not rest_is_torn:
            return  # the worker is still writing it
        batch = Batch()
        for line in chunk[:whole].split(b"\n")[:-1]:
            batch.add(line)
        batch.torn += rest_is_torn
        at += len(chunk) if rest_is_torn else whole
        wanted_bytes = chunk_bytes
        yield at, batch


def counts(log: PredictionLog, folder: Path, use_case: str) -> LogCounts:
    """Where the answered rows of a use case are: stored, spooled, not logged; torn lines beside them.

    Limit: rows that wait in the spool are those of every use case that shares it.
    """
    spooled = 0
    for segment in sorted(folder.glob(f"*{SEGMENT}")):
        with suppress(FileNotFoundError), segment.open("rb") as file:
            file.seek(log.moved_bytes(segment.name))
            spooled += sum(answered_in(line) for line in file if line.endswith(b"\n"))
    return replace(log.counts(use_case), spooled=spooled)


class Stop(Protocol):
    """What ends the writer: `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to end."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds, or until it is set."""


def keep_moving(
    open_log: Callable[[], PredictionLog],
    folder: Path,
    stop: Stop,
    *,
    every_s: float = 1.0,
    keep_days: Mapping[str, int] | None = None,
    report: Callable[[Moved | TailTuneError], None] = lambda _: None,
    on_rows: OnRows = lambda _: None,
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
) -> None:
    """Move spools until stopped, and once more then; rows that are too old are deleted once a day.

    A clock that was set within the last hour deletes nothing: one that starts years ahead would take everything.

    A store that is away is asked again, at first after `every_s`, then after twice as long each time, up to a minute.
    Nobody else moves the spool meanwhile.

    Args:
        open_log: Opens the store; called again after an error.
        folder: The spool folder.
        stop: Ends it.
        every_s: Pause between passes, seconds.
        keep_days: Use case → `serve.log.keep_days`.
        report: Takes what each pass moved, or why it could not.
        on_rows: Takes the predictions of each transaction, once they are stored.
        clock: Seconds since 1970.
        steady: Seconds by a clock that nobody sets.
    """
    with ExitStack() as locked:
        _keep_moving(open_log, folder, stop, every_s, keep_days or {}, report, on_rows, clock, steady, locked)


def _keep_moving(
    open_log: Callable[[], PredictionLog],
    folder: Path,
    stop: Stop,
    every_s: float,
    keep_days: Mapping[str, int],
    report: Callable[[Moved | TailTuneError], None],
    on_rows: OnRows,
    clock: Callable[[], float],
    steady: Callable[[], float],
    locked: ExitStack,
) -> None:
    log: PredictionLog | None = None
    wait_s, cleaned_s, last, is_alone = every_s, float("-inf"), False, False
    age = _Age(clock, steady)
    while not last:
        last = stop.is_set()
        try:
            if not is_alone:
                private_folder(folder)
                locked.enter_context(_alone(folder))
                is_alone = True
            log = log or open_log()
            report(_move_all(log, folder, _CHUNK_BYTES, on_rows))
            if age.is_trusted() and steady() - cleaned_s >= _DAY_S:
                for use_case, days in keep_days.items():
                    log.delete_before(use_case, int((clock() - days * _DAY_S) * 1e6))
                cleaned_s = steady()
            wait_s = every_s
        except TailTuneError as error:
            report(error)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            _close(log)
            log = None
        except OSError as error:  # the spool's disk
            report(TailTuneError(f"{folder}: {error.strerror or error}", "mend the path, its permissions or the disk"))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        if not last:
            stop.wait(wait_s)
    _close(log)


class _Age:
    """How long nobody has set the clock."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock, self._steady = clock, steady
        self._since_s, self._ahead_s = steady(), clock() - steady()

    def is_trusted(self) -> bool:
        """Whether that is long enough to delete by it."""
        here_s = self._steady()
        ahead_s = self._clock() - here_s
        if abs(ahead_s - self._ahead_s) >= _SET_S:
            self._since_s, self._ahead_s = here_s, ahead_s
        return here_s - self._since_s >= _TRUSTED_S


def _close(log: PredictionLog | None) -> None:
    if log is not None:
        log.close()


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Be the only writer that moves a spool.

    Raises:
        BusyError: Another one does.
    """
    return alone(folder / _LOCK, BusyError(f"{folder}: another writer moves this spool", "wait for it, or end it"))


def _remove_left(unseen: Path) -> None:
    """Remove the empty file of a worker that was killed while it began a segment."""
    with suppress(FileNotFoundError):
        fd = os.open(unseen, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not is_taken(fd) and time.time() - os.fstat(fd).st_mtime > _LONGEST_WAIT_S:
                unseen.unlink()
        finally:
            os.close(fd)
