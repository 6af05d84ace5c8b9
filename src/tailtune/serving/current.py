"""Which versions a worker answers with: what a file names is loaded beside what answers, and then takes its place."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tailtune.core.errors import TailTuneError
from tailtune.serving.answerer import Answerer, Prediction
from tailtune.serving.inference import Line

Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = ("champion", "challenger")
_ASKING = 8
"""Texts that are answered at once where answering is waiting for an endpoint."""
_LOOK_S = 0.25
log = logging.getLogger("tailtune.serving")


@dataclass(frozen=True)
class Named:
    """One per version that the file names.

    Attributes:
        version: Its number.
        folder: Its files.
    """

    version: str
    folder: str


@dataclass(frozen=True)
class Loaded:
    """One per version that answers.

    Attributes:
        named: Which it is.
        answerer: Answers.
        line: What waits for it.
    """

    named: Named
    answerer: Answerer
    line: Line[Prediction]


class Versions:
    """One per worker.

    Args:
        file: `current.json`: role → version and folder; the supervisor writes it whole.
        limit: Texts that may wait for a version at most.
        on_refused: Called when a version does not load or answer; the one before goes on answering.
    """

    def __init__(self, file: Path, limit: int, on_refused: Callable[[], None]) -> None:
        self._file, self._limit, self._on_refused = file, limit, on_refused
        self._loaded: dict[Role, Loaded] = {}
        self._refused: set[Named] = set()
        self._seen = -1
        self.problem = ""

    def get(self, role: Role) -> Loaded | None:
        """The version that answers in a role; None where there is none."""
        return self._loaded.get(role)

    async def follow(self) -> None:
        """Change versions as the file says, until cancelled."""
        while True:
            try:
                await self.look()
            except OSError as error:
                log.warning("%s: %s", self._file, error.strerror or error)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Read the file if it has changed, and load what it names."""
        try:
            now = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if now == self._seen:
            return
        self._seen = now
        named = read_current(self._file)
        for role in ROLES:
            await self._become(role, named.get(role))

    async def _become(self, role: Role, named: Named | None) -> None:
        before = self._loaded.get(role)
        if named == (None if before is None else before.named):
            return
        if named is None:
            self._loaded.pop(role)
        elif named not in self._refused:
            try:
                answerer = await asyncio.to_thread(Answerer, Path(named.folder), named.version)
            except TailTuneError as error:
                self._refused.add(named)
                self._on_refused()
                self.problem = error.message
                log.error("version %s is refused, the one before goes on: %s", named.version, error.message)
                return
            line = Line(answerer.answer, self._limit, 1 if answerer.local else _ASKING)
            self._loaded[role] = Loaded(named, answerer, line)
            log.info("version %s answers as %s", named.version, role)
        if before is not None:
            await asyncio.to_thread(before.line.close)

    async def close(self) -> None:
        """Answer what waits, then end."""
        for loaded in self._loaded.values():
            await asyncio.to_thread(loaded.line.close)


def read_current(file: Path) -> dict[Role, Named]:
    """What `current.json` names; nothing where it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {role: Named(**found[role]) for role in ROLES if found.get(role)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
