"""Processes that answer: one per core, each with the version loaded, each text alone."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tailtune.core.errors import TailTuneError
from tailtune.core.process import leave_with
from tailtune.serving.answerer import Answerer
from tailtune.serving.batch.kept import KeptAnswer

Blocks = Iterable[Sequence[str]]
_WAITING = 3
"""Blocks for each process that are read, and not yet written."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def by_processes(blocks: Blocks, folder: Path, version: str, processes: int) -> Generator[list[KeptAnswer]]:
    """Answer blocks of texts in processes of their own, with the code that a server's workers answer with.

    Args:
        blocks: Taken as they are needed.
        folder: Of the version.
        version: Its number.
        processes: How many.

    Yields:
        The answers of each block, in order.

    Raises:
        TailTuneError: The version does not load, or a process was ended from outside.
    """
    waiting = deque[Any]()
    with _one_thread_each():
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (os.getpid(),))
        try:
            for block in blocks:
                waiting.append(pool.submit(_answer, folder, version, block))
                if len(waiting) >= _WAITING * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise TailTuneError(
                "a process that answers was ended from outside: the machine may be short of memory",
                "the same command goes on from here; with --processes 1 it takes less memory",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """In a process that answers: it ends with the one that started it, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_with(parent)


@lru_cache(maxsize=1)
def _answerer(folder: Path, version: str) -> Answerer:
    return Answerer(folder, version)


def _answer(folder: Path, version: str, block: Sequence[str]) -> list[KeptAnswer]:
    answerer = _answerer(folder, version)
    return [_answer_one(answerer, text) for text in block]


def _answer_one(answerer: Answerer, text: str) -> KeptAnswer:
    try:
        prediction = answerer.answer(text)
    except (TailTuneError, OSError, MemoryError):
        raise
    except Exception as error:  # whatever it is, it belongs to this row alone: a server would answer 500
        return KeptAnswer(None, None, problem=f"{type(error).__name__}: {error}"[:300])
    return KeptAnswer.of(prediction.value, prediction.confidence, prediction.columns, prediction.usd)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started in the block compute on one thread each: there is one for each core."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
