"""Workers that end are replaced: at once, or later and later while they end at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from itertools import pairwise

from tailtune.serving.processes import Workers


class Tended:
    """Workers with a clock that a test moves."""

    def __init__(self, command: Sequence[str], count: int = 1) -> None:
        self.now, self.ended = 0.0, list[int]()
        self.workers = Workers(command, count, [], self.ended.append, lambda: self.now)

    def at(self, now: float) -> None:
        """Tend at a moment, when what ends at once has ended."""
        self.now = now
        self.workers.tend()

    def wait(self) -> None:
        for worker in self.workers._running:
            if worker is not None:
                worker.wait(10)


def test_a_killed_worker_is_replaced() -> None:
    tended = Tended(["sleep", "60"], 2)
    try:
        tended.at(0)
        first = tended.workers.pids
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        os.waitid(os.P_PID, first[0], os.WEXITED | os.WNOWAIT)
        tended.at(10)
        assert tended.ended == first[:1]
        assert len(set(tended.workers.pids) - set(first)) == 1
        assert first[1] in tended.workers.pids
    finally:
        tended.workers.end()
    assert tended.workers.pids == []


def test_one_that_ends_at_once_is_started_later_and_later() -> None:
    tended = Tended(["false"])
    starts = []
    for now in range(75):
        before = len(tended.ended)
        tended.at(now)
        tended.wait()
        running = tended.workers._running[0]
        if running is not None and tended.workers._began[0] == now:
            starts.append(now)
        assert len(tended.ended) - before <= 1
    pauses = [after - before for before, after in pairwise(starts)]
    assert pauses == [2, 3, 5, 9, 17, 31], "it is looked at once a second: 1, 2, 4, 8, 16, 30 s after it was found"


def test_a_command_that_cannot_be_started_ends_nothing() -> None:
    tended = Tended(["/nowhere/program"])
    for now in range(5):
        tended.at(now)
    assert tended.workers.pids == []
    tended.workers.end()
