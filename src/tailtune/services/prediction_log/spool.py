"""The spool as a worker writes it: one file at a time, appended to before the answer goes out."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tailtune.core.private import private_folder
from tailtune.services.prediction_log import lines
from tailtune.services.prediction_log.records import LoggedFeedback, LoggedPrediction

SEGMENT = ".jsonl"
"""End of a segment's name. A worker holds a lock (flock) on the segment that it writes; one without is finished."""
_MIB = 1 << 20
_LOOK_AGAIN_S = 1.0


def spooled_bytes(folder: Path) -> int:
    """Bytes of all segments in a spool folder; the writer may remove some meanwhile."""
    total = 0
    for segment in folder.glob(f"*{SEGMENT}"):
        with suppress(FileNotFoundError):
            total += segment.stat().st_size
    return total


class Spool:
    """One per worker process: appends what was answered to its own segment. Threads may share it.

    A request is one line and one `write`, so it is in the spool whole or not at all. The bytes are handed to the
    system and are not synced to the disk: a worker that is killed loses nothing that it answered; a power failure
    may take what the system had not written yet, usually the last 5 to 30 seconds.

    Where nothing can be written (disk full, folder gone, spool larger than it may be), `append` returns False: answer
    anyway. The rows are counted, and noted in the spool as soon as it can be written again.

    Args:
        folder: The spool folder; made when it is first needed.
        most_segment_bytes: A larger segment is finished and a new one begun.
        most_segment_s: So is an older one.
        most_bytes: Of all segments in the folder together; beyond it nothing is logged until the writer caught up.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_segment_bytes: int = 16 * _MIB,
        most_segment_s: float = 3600.0,
        most_bytes: int = 4096 * _MIB,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._clock = folder, clock
        self._most_segment_bytes, self._most_segment_s, self._most_bytes = (
            most_segment_bytes,
            most_segment_s,
            most_bytes,
        )
        self._lock = threading.Lock()
        self._fd, self._pid, self._bytes, self._began, self._full_until = -1, 0, 0, 0.0, 0.0
        self._missed: dict[str, int] = {}
        self.logged = 0
        """Rows that this worker has appended."""
        self.not_logged = 0
        """Rows that this worker could not append."""

    def append(self, rows: Sequence[LoggedPrediction]) -> bool:
        """Log the rows of one request.

        Returns:
            Whether they are in the spool; where they are not, they are counted as not logged.
        """
        if not rows:
            return True
        with self._lock:
            if self._append(len(rows), [lines.prediction(row) for row in rows]):
                self.logged += len(rows)
                return True
            self.not_logged += len(rows)
            for row in rows:
                self._missed[row.use_case] = self._missed.get(row.use_case, 0) + 1
            return False

    def append_feedback(self, feedback: LoggedFeedback) -> bool:
        """Keep a right answer that a person sent. Returns whether it is kept; where it is not, say so to the person."""
        with self._lock:
            return self._append(0, [lines.feedback(feedback)])

    def close(self) -> None:
        """Finish the segment, so that the writer may take and remove it; a later append begins another."""
        with self._lock:
            if self._missed:
                self._append(0, [])
            self._close()

    def _append(self, answered: int, records: list[dict[str, Any]]) -> bool:
        """Write a line, and with it the note of rows that could not be written before."""
        now = self._clock()
        missed = [lines.not_logged(use_case, rows, int(now * 1e6)) for use_case, rows in self._missed.items()]
        try:
            line = lines.encode(answered, [*missed, *records])
            self._be_ready(len(line), now)
            if self._fd < 0:
                return False
            if os.write(self._fd, line) < len(line):
                self._take_back()
                return False
        except (OSError, TypeError, ValueError, RecursionError):
            return False
        self._bytes += len(line)
        self._missed.clear()
        return True

    def _take_back(self) -> None:
        """Cut off the beginning of a line whose end found no room."""
        try:
            os.ftruncate(self._fd, self._bytes)
        except OSError:  # whatever follows goes into another segment; the writer counts the cut line
            self._close()

    def _be_ready(self, line_bytes: int, now: float) -> None:
        """Have a segment open for a line, if one may be opened."""
        if self._fd >= 0 and self._pid != os.getpid():
            self._close()  # a copy of the parent's, made by fork; the parent goes on with it
        if self._fd >= 0:
            full = self._bytes + line_bytes > self._most_segment_bytes and self._bytes > 0
            removed = os.fstat(self._fd).st_nlink == 0  # by somebody who emptied the folder
            if full or removed or now - self._began > self._most_segment_s:
                self._close()
        if self._fd < 0 and now >= self._full_until:
            self._open(now)

    def _open(self, now: float) -> None:
        private_folder(self._folder)
        if spooled_bytes(self._folder) >= self._most_bytes:
            self._full_until = now + _LOOK_AGAIN_S
            return
        name = f"{int(now * 1e6):017d}-{os.getpid()}-{secrets.token_hex(8)}{SEGMENT}"
        unseen = self._folder / f".{name}.part"
        fd = os.open(unseen, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            unseen.rename(self._folder / name)  # only now, locked, the writer may see it
        except OSError:
            os.close(fd)
            raise
        self._fd, self._pid, self._bytes, self._began = fd, os.getpid(), 0, now

    def _close(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1
