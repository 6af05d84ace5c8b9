"""Processes that answer: one per core, each with the version loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from tailtune.config.settings import THREAD_COUNTS
from tailtune.core.errors import TailTuneError
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.serving.batch.seen import LOGGED

Blocks = Iterable[Sequence[str]]
_WAITING = 3
"""Blocks for each process that are read, and whose answers are not kept yet."""


def by_processes(
    blocks: Blocks, folder: Path, version: str, processes: int, threads: int | None = 1, is_logged: bool = False
) -> Generator[list[KeptAnswer]]:
    """Answer blocks of texts in processes of their own, with the code that a server's workers answer with.

    Args:
        blocks: Taken as they are needed.
        folder: Of the version.
        version: Its number.
        processes: How many.
        threads: That each computes on; all that the environment allows when None. One sums up in the same order
            wherever it runs.
        is_logged: Whether the answers come with what the prediction log keeps of them.

    Yields:
        The answers of each block, in order.

    Raises:
        TailTuneError: The version does not load, or a process was ended from outside.
    """
    workers = [_Worker(folder, version, threads, is_logged) for _ in range(processes)]
    idle, waiting = SimpleQueue[_Worker](), deque[Future[list[KeptAnswer]]]()
    for worker in workers:
        idle.put(worker)

    def answered(block: Sequence[str]) -> list[KeptAnswer]:
        worker = idle.get()
        try:
            return worker.answer(block)
        finally:
            idle.put(worker)

    waiters = ThreadPoolExecutor(processes)  # each waits for a process
    try:
        for block in blocks:
            waiting.append(waiters.submit(answered, block))
            if len(waiting) >= _WAITING * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for worker in workers:
            worker.end()
        waiters.shutdown()
        for worker in workers:
            worker.close()


class _Worker:
    """One per process, which is started with the first block; it ends with this one, whatever ends this one."""

    def __init__(self, folder: Path, version: str, threads: int | None, is_logged: bool = False) -> None:
        self._environment = {**os.environ, **({} if threads is None else dict.fromkeys(THREAD_COUNTS, str(threads)))}
        self._command = [sys.executable, "-m", "tailtune.serving.batch.worker", str(folder), version]
        self._command.append(LOGGED if is_logged else "")
        self._process: subprocess.Popen[str] | None = None

    def answer(self, block: Sequence[str]) -> list[KeptAnswer]:
        """Answer a block.

        Raises:
            TailTuneError: The version does not load, or the process was ended from outside.
        """
        if self._process is None:
            self._process = self._started()
        try:
            assert self._process.stdin and self._process.stdout  # noqa: S101 - both are pipes
            self._process.stdin.write(json.dumps(block) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:  # it has gone
            line = ""
        if not line.endswith("\n"):
            raise TailTuneError(
                "a process that answers has ended: somebody ended it, or the machine is short of memory",
                "the same command goes on from here; with --processes 1 it takes less memory",
            )
        answers = json.loads(line)
        if isinstance(answers, dict):
            raise TailTuneError(answers["error"], answers["hint"])
        return [KeptAnswer(*answer) for answer in answers]

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own words
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )

    def end(self) -> None:
        """End the process; it holds nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close its pipes, when nobody waits for it any more."""
        for pipe in () if self._process is None else (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it was sent last and did not read
                if pipe is not None:
                    pipe.close()
