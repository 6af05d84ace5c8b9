"""Which versions a worker answers with: what a file names is loaded beside what answers, and then takes its place."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tailtune.core.errors import TailTuneError
from tailtune.services import store
from tailtune.serving.inference import Line
from tailtune.tasks.answerer import Answerer, Connect, Prediction

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
        threads: Texts that are answered at the same time.
        on_refused: Called when a version does not load or answer; the one before goes on answering.
        connect: Makes a prompted predictor ask its endpoint as it should here.
    """

    def __init__(
        self, file: Path, limit: int, threads: int, on_refused: Callable[[], None], connect: Connect | None = None
    ) -> None:
        self._file, self._limit, self._threads, self._on_refused = file, limit, threads, on_refused
        self._connect = connect
        self._loaded: dict[Role, Loaded] = {}
        self._refused: dict[Named, str] = {}
        self._problems: dict[Role, str] = {}
        self._seen: tuple[int, int] | None = None

    @property
    def problem(self) -> str:
        """Why the version that is named does not answer; empty where it does."""
        return "; ".join(self._problems.values())

    def get(self, role: Role) -> Loaded | None:
        """The version that answers in a role; None where there is none."""
        return self._loaded.get(role)

    async def follow(self) -> None:
        """Change versions as the file says, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # the versions that answer go on
                log.exception("%s", self._file)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Read the file if it has changed, and load what it names; a file that cannot be read changes nothing."""
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return
        now = status.st_mtime_ns, status.st_ino
        if now == self._seen:
            return
        self._seen = now
        named = read_current(self._file)
        if named is None:
            log.error("%s cannot be read; what answers stays", self._file)
            return
        for role in ROLES:
            await self._become(role, named.get(role))

    async def _become(self, role: Role, named: Named | None) -> None:
        before = self._loaded.get(role)
        self._problems.pop(role, None)
        if named == (None if before is None else before.named):
            return
        if named is None:
            self._loaded.pop(role)
            log.info("no version answers as %s any more", role)
        elif named in self._refused:
            self._problems[role] = self._refused[named]
            return
        else:
            try:
                answerer = await asyncio.to_thread(Answerer, Path(named.folder), named.version, self._connect)
            except TailTuneError as error:
                self._refused[named] = self._problems[role] = error.message
                self._on_refused()
                goes_on = "nothing" if before is None else f"version {before.named.version}"
                log.error("version %s is refused, %s answers as %s: %s", named.version, goes_on, role, error.message)
                return
            line = Line(answerer.answer, self._limit, self._threads if answerer.local else _ASKING)
            self._loaded[role] = Loaded(named, answerer, line)
            log.info("version %s answers as %s", named.version, role)
        if before is not None:
            await asyncio.to_thread(before.line.close)

    async def close(self) -> None:
        """Answer what waits, then end."""
        for loaded in self._loaded.values():
            await asyncio.to_thread(loaded.line.close)


def read_current(file: Path) -> dict[Role, Named] | None:
    """What `current.json` names; None where it cannot be read."""
    try:
        named = dict(json.loads(file.read_text(encoding="utf-8")))
        return {role: Named(str(named[role]["version"]), str(named[role]["folder"])) for role in ROLES if role in named}
    except (OSError, ValueError, TypeError, LookupError):
        return None


def write_current(file: Path, named: Mapping[Role, Named]) -> None:
    """Say which versions are to answer; the file is replaced whole."""
    store.write_json(file, {role: asdict(version) for role, version in named.items()})
