"""Following the registry: which versions have the aliases now, their files fetched and checked."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tailtune.core.digests import folder_digest
from tailtune.core.errors import ServiceError, TailTuneError
from tailtune.services.mlflow.address import SQLITE
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import StoredVersion, find
from tailtune.serving.current import Named, Role, read_current, write_current

LOOK_S, _GLANCE_S = 2.0, 0.1
_AGAIN_S, _MOST_AGAIN_S = 4.0, 60.0
log = logging.getLogger("tailtune.serving")


@dataclass(frozen=True)
class Registry:
    """Where versions are looked up.

    Attributes:
        uri: The tracking store.
        model: Registered model's name.
        aliases: Role → alias.
        cache: Folder for versions' files.
    """

    uri: str
    model: str
    aliases: Mapping[Role, str]
    cache: Path


@dataclass(frozen=True)
class _Unfetched:
    """One per version whose files could not be fetched: it is tried again, later each time."""

    stored: StoredVersion
    error: TailTuneError
    wait_s: float
    after: float


class Follower:
    """Looks the aliases up, fetches what they name, and says in `current.json` what is to answer.

    A registry that does not answer, or files that are not those that were registered, change nothing: also after a
    start, when what answered last answers again until the registry says otherwise.

    Args:
        registry: Where to look.
        current: The file that workers follow.
        clock: Seconds that never go back.
    """

    def __init__(self, registry: Registry, current: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._current, self._clock = registry, current, clock
        last = read_current(current) or {}
        self._named: dict[Role, Named] = {
            role: named for role, named in last.items() if role in registry.aliases and _is_whole(Path(named.folder))
        }
        self._written: tuple[dict[Role, Named], str] | None = None
        self._seen: dict[Role, StoredVersion | None] = {}
        self._unfetched: dict[Role, _Unfetched] = {}
        self.problem = ""
        current.unlink(missing_ok=True)  # nobody answers with it before the registry was asked

    def follow(self, ended: Event) -> None:
        """Look now and then until it is time to end, and at once when a store in a file has changed."""
        while not ended.is_set():
            before = self._file_state()
            try:
                self.look()
            except Exception:  # a full disk, for one: what answers goes on answering
                log.exception("following the registry failed; it is tried again")
            for _ in range(round(LOOK_S / _GLANCE_S)):
                if ended.wait(_GLANCE_S) or self._file_state() != before:
                    break

    def _file_state(self) -> tuple[int, int] | None:
        """When a store in a file was last written; None where it is elsewhere, or has gone."""
        uri = self._registry.uri
        if not uri.startswith(SQLITE):
            return None
        try:
            status = Path(uri.removeprefix(SQLITE)).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def look(self) -> None:
        """Look once."""
        problems = []
        for role, alias in self._registry.aliases.items():
            try:
                self._look(role, alias)
            except TailTuneError as error:
                problems.append(error.message)
            except Exception as error:  # a library's own: a damaged store, for one
                problems.append(f"the registry: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
        problem = "; ".join(dict.fromkeys(problems))
        if (self._named, problem) != self._written:
            write_current(self._current, self._named, problem)
            self._written = dict(self._named), problem
        self._report(problem)

    def _look(self, role: Role, alias: str) -> None:
        stored = find(self._registry.uri, self._registry.model, alias)
        if stored is None and role in self._named:
            self._require_store()
        if stored is None:
            if self._named.pop(role, None) is not None or role not in self._seen:
                log.info("%s: no version has the alias %s", role, alias)
        elif stored != self._seen.get(role) or not self._is_kept(role):
            self._named[role] = Named(stored.version, str(self._fetched(role, stored)))
            log.info("%s: version %s has the alias %s", role, stored.version, alias)
        self._seen[role] = stored  # only now: files that could not be fetched are tried again

    def _require_store(self) -> None:
        """A store whose file has gone names nothing, which is not the same as an alias that was taken away.

        Raises:
            ServiceError: It has gone.
        """
        uri = self._registry.uri
        if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
            raise ServiceError(f"{uri}: the store has gone", "put it back; what answers goes on meanwhile")

    def _is_kept(self, role: Role) -> bool:
        """Whether a version's files are still there, for a worker that has to start again; they count as used."""
        try:
            os.utime(self._named[role].folder)
        except (OSError, KeyError):
            return False
        return True

    def _fetched(self, role: Role, stored: StoredVersion) -> Path:
        before = self._unfetched.get(role)
        if before is not None and before.stored == stored and self._clock() < before.after:
            raise before.error
        try:
            folder = fetch(self._registry.uri, stored, self._registry.cache)
        except TailTuneError as error:
            is_same = before is not None and before.stored == stored
            wait_s = min(before.wait_s * 2, _MOST_AGAIN_S) if before is not None and is_same else _AGAIN_S
            self._unfetched[role] = _Unfetched(stored, error, wait_s, self._clock() + wait_s)
            raise
        self._unfetched.pop(role, None)
        return folder

    def _report(self, problem: str) -> None:
        """Say once what is wrong, and once that it is over."""
        if problem and problem != self.problem:
            answering = ", ".join(f"version {named.version} as {role}" for role, named in self._named.items())
            log.error("%s; %s goes on", problem, answering or "the server")
        elif self.problem and not problem:
            log.info("the registry answers again, and what it names is fetched")
        self.problem = problem


def _is_whole(folder: Path) -> bool:
    """Whether a fetched version's files are those that its folder is named after."""
    try:
        return folder_digest(folder) == folder.name.partition("-")[2]
    except (OSError, TailTuneError):
        return False
