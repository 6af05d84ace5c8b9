"""The line of texts before the threads that answer: bounded, and each with a deadline."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tailtune.core.errors import FullError, LateError

T = TypeVar("T")
TURN_ROWS = 8
"""Rows of a request that are answered before the next request has its turn."""


@dataclass
class _Job(Generic[T]):
    texts: Sequence[str]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[list[T]]
    answers: list[T] = field(default_factory=list)


class Line(Generic[T]):
    """Answers texts in the order in which they came; requests of many rows take turns with others.

    Args:
        answer: Answers one text; runs in threads of the line's own.
        limit: Texts that may wait at most.
        threads: Texts that are answered at the same time.
    """

    def __init__(self, answer: Callable[[str], T], limit: int, threads: int = 1) -> None:
        self._answer, self._limit = answer, limit
        self._jobs: deque[_Job[T]] = deque()
        self._waiting, self._row_s = 0, 0.002
        self._more = threading.Condition()
        self._open = True
        # Daemons: a process that fails to start must not wait for them.
        self._threads = [threading.Thread(target=self._work, name="answers", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Texts that wait."""
        return self._waiting

    async def ask(self, texts: Sequence[str], deadline_s: float) -> list[T]:
        """Answer texts.

        Args:
            texts: Of one request, at least one; more than may wait are taken when nothing waits.
            deadline_s: Seconds after which nobody waits for the answers any more.

        Raises:
            FullError: Too much waits.
            LateError: The deadline has passed.
        """
        loop = asyncio.get_running_loop()
        job = _Job(texts, loop, loop.create_future())
        with self._more:
            behind_s = self._waiting * self._row_s / len(self._threads)
            is_full = self._waiting and (self._waiting + len(texts) > self._limit or behind_s > deadline_s)
            if not self._open or is_full:
                raise FullError(max(1, math.ceil(behind_s)))
            self._waiting += len(texts)
            self._jobs.append(job)
            self._more.notify()
        late = loop.call_later(deadline_s, _settle, job.done, None, LateError())
        try:
            return await job.done
        finally:
            late.cancel()

    def close(self) -> None:
        """Answer what waits, then end."""
        with self._more:
            self._open = False
            self._more.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._turn(job)

    def _next(self) -> _Job[T] | None:
        with self._more:
            while not self._jobs:
                if not self._open:
                    return None
                self._more.wait()
            return self._jobs.popleft()

    def _turn(self, job: _Job[T]) -> None:
        """Answer some rows of a request; what is left waits again."""
        begun, before = time.monotonic(), len(job.answers)
        left = len(job.texts) - before
        try:
            for text in job.texts[before : before + TURN_ROWS]:
                if job.done.done():  # nobody waits for it any more
                    self._end(job, left, LateError())
                    return
                job.answers.append(self._answer(text))
        except BaseException as error:  # whatever it is (Rust's panics are no Exception), it is this request's alone
            self._end(job, left, error if isinstance(error, Exception) else RuntimeError(repr(error)))
            return
        rows = len(job.answers) - before
        self._row_s += 0.05 * ((time.monotonic() - begun) / max(1, rows) - self._row_s)
        with self._more:
            self._waiting -= rows
            if len(job.answers) < len(job.texts):
                self._jobs.append(job)
                self._more.notify()
                return
        _settle_soon(job, job.answers, None)

    def _end(self, job: _Job[T], left: int, error: Exception) -> None:
        with self._more:
            self._waiting -= left
        _settle_soon(job, None, error)


def _settle_soon(job: _Job[T], answers: list[T] | None, error: Exception | None) -> None:
    with suppress(RuntimeError):  # the loop has been closed: nobody waits
        job.loop.call_soon_threadsafe(_settle, job.done, answers, error)


def _settle(done: asyncio.Future[list[T]], answers: list[T] | None, error: Exception | None) -> None:
    if done.done():  # the client has gone
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(answers or [])
