"""Progress protocol, and a no-op one for tests and libraries."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol


class Progress(Protocol):
    """One per stage run. Implementations draw; stages only report."""

    def say(self, text: str) -> None:
        """A line worth keeping: one finished step and its figure."""

    def at(self, done: float, total: float, what: str) -> None:
        """A passing state: `done` of `total`, in words; replaced by the next."""


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Does nothing."""

    def at(self, done: float, total: float, what: str) -> None:
        """Does nothing."""


def counting(progress: Progress, total: int, what: str) -> Callable[[object, object], None]:
    """A callback (place, result) for work in any order: each call shows one more thing done of `total`."""
    done = count(1)
    return lambda place, result: progress.at(next(done), total, what)
