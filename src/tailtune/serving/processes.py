"""The processes that answer, kept alive."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Sequence

_AGAIN_S, _MOST_AGAIN_S = 1.0, 30.0
_SHORT_S, _LONG_S = 5.0, 60.0
_END_S = 15.0
log = logging.getLogger("tailtune.serving")


class Workers:
    """The processes that answer: one that ends is started again, later and later while it keeps ending at once.

    Args:
        command: Starts one.
        count: How many.
        descriptors: What they inherit.
        on_end: Takes the number of a process that has ended.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        descriptors: Sequence[int],
        on_end: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command, self._descriptors, self._on_end, self._clock = command, descriptors, on_end, clock
        self._running: list[subprocess.Popen[bytes] | None] = [None] * count
        self._began, self._again_s, self._after = [0.0] * count, [_AGAIN_S] * count, [0.0] * count

    @property
    def pids(self) -> list[int]:
        """Of those that run."""
        return [worker.pid for worker in self._running if worker is not None and worker.poll() is None]

    def tend(self) -> None:
        """Start what does not run."""
        now = self._clock()
        for place, worker in enumerate(self._running):
            if worker is not None and worker.poll() is not None:
                self._ended(place, worker, now)
            if self._running[place] is None and now >= self._after[place]:
                try:
                    self._running[place] = subprocess.Popen(self._command, pass_fds=self._descriptors)  # noqa: S603
                    self._began[place] = now
                except OSError as error:
                    self._wait(place, now)
                    log.error("a worker cannot be started: %s; tried again", error.strerror or error)

    def _ended(self, place: int, worker: subprocess.Popen[bytes], now: float) -> None:
        self._running[place] = None
        lived, why = now - self._began[place], worker.returncode
        if lived < _SHORT_S:
            self._wait(place, now)
        elif lived > _LONG_S:
            self._again_s[place] = _AGAIN_S
        pause = max(0.0, self._after[place] - now)
        when = f"in {pause:.0f} s" if pause else "now"
        how = f"signal {-why}" if why < 0 else f"exit status {why}"
        log.error("worker %s has ended (%s); another one starts %s", worker.pid, how, when)
        self._on_end(worker.pid)

    def _wait(self, place: int, now: float) -> None:
        self._after[place] = now + self._again_s[place]
        self._again_s[place] = min(self._again_s[place] * 2, _MOST_AGAIN_S)

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
                log.error("worker %s did not end in time and is killed", worker.pid)
                worker.kill()
                worker.wait()
