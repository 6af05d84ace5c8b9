"""Which versions a worker answers with: what a file names is loaded beside what answers, and then takes its place."""

from __future__ import annotations

import asyncio
import json
import logging
import time
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
_PROBLEM = "problem"
_AGAIN_S, _AGAIN_MOST_S = 5.0, 600.0
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


@dataclass(frozen=True, slots=True)
class _Refused:
    """One per version that does not load.

    Attributes:
        why: In words.
        wait_s: Seconds until it is tried again.
        after: When that is, by the clock.
    """

    why: str
    wait_s: float
    after: float


class Versions:
    """One per worker.

    Args:
        file: `current.json`: role → version and folder; the supervisor writes it whole.
        limit: Texts that may wait for a version at most.
        threads: Texts that are answered at the same time.
        on_refused: Called when a version does not load or answer; the one before goes on answering. It is tried again,
            later each time: what was in the way may have been this machine.
        connect: Makes a prompted predictor ask its endpoint as it should here.
        clock: Seconds that never go back.
    """

    def __init__(
        self, file: Path, limit: int, threads: int, on_refused: Callable[[], None], connect: Connect | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._file, self._limit, self._threads, self._on_refused = file, limit, threads, on_refused
        self._connect = connect
        self._loaded: dict[Role, Loaded] = {}
        self._refused: dict[Named, _Refused] = {}
        self._problems: dict[Role, Named] = {}
        self._seen: tuple[int, int] | None = None
        self._unfetched = ""

    @property
    def problem(self) -> str:
        """Why a version that the registry names does not answer; empty where all do."""
        whys = [self._unfetched, *(self._refused[named].why for named in self._problems.values())]
        return "; ".join(why for why in whys if why)

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
        if now == self._seen and not self._is_time_to_try():
            return
        self._seen = now
        self._unfetched = read_problem(self._file)
        named = read_current(self._file)
        if named is None:
            log.error("%s cannot be read; what answers stays", self._file)
            return
        for role in ROLES:
            await self._become(role, named.get(role))

    def _is_time_to_try(self) -> bool:
        """Whether a version that is named and does not answer is to be tried again."""
        return any(self._clock() >= self._refused[named].after for named in self._problems.values())

    async def _become(self, role: Role, named: Named | None) -> None:
        before = self._loaded.get(role)
        self._problems.pop(role, None)
        if named == (None if before is None else before.named):
            return
        if named is None:
            self._loaded.pop(role)
            log.info("no version answers as %s any more", role)
        elif (refused := self._refused.get(named)) is not None and self._clock() < refused.after:
            self._problems[role] = named
            return
        else:
            try:
                answerer = await asyncio.to_thread(Answerer, Path(named.folder), named.version, self._connect)
            except TailTuneError as error:
                wait_s = _AGAIN_S if refused is None else min(_AGAIN_MOST_S, 2 * refused.wait_s)
                self._refused[named] = _Refused(error.message, wait_s, self._clock() + wait_s)
                self._problems[role] = named
                self._on_refused()
                goes_on = "nothing" if before is None else f"version {before.named.version}"
                log.error("version %s is refused, %s answers as %s: %s", named.version, goes_on, role, error.message)
                return
            self._refused.pop(named, None)
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


def read_problem(file: Path) -> str:
    """Why what the registry names is not what `current.json` names; empty where it is, or the file cannot be read."""
    try:
        return str(dict(json.loads(file.read_text(encoding="utf-8"))).get(_PROBLEM, ""))
    except (OSError, ValueError, TypeError):
        return ""


def write_current(file: Path, named: Mapping[Role, Named], problem: str = "") -> None:
    """Say which versions are to answer, and what is wrong with those that the registry names; replaced whole."""
    roles = {role: asdict(version) for role, version in named.items()}
    store.write_json(file, {**roles, _PROBLEM: problem} if problem else roles)
