"""How long work says that it goes on: a protocol, and the silent one for tests and libraries."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """One per stage run. Implementations draw; stages only tell."""

    def say(self, text: str) -> None:
        """A line worth keeping: one finished step and its figure."""

    def at(self, done: float, total: float, what: str) -> None:
        """A passing state: `done` of `total`, in words; replaced by the next."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Does nothing."""

    def at(self, done: float, total: float, what: str) -> None:
        """Does nothing."""
