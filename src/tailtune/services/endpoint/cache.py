"""Answers kept between runs, in one SQLite file: what was paid for once is not paid for again."""

from __future__ import annotations

import json
import math
import shlex
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tailtune.core.errors import BusyError, TailTuneError
from tailtune.core.language import UNTIMED, Reply, Timing
from tailtune.core.private import private_file, private_folder

_FORMAT = 3  # of the tables; the file has its own
_MARK = 0x7A11  # this application's, so that another program's file is not written into
_WAIT_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT, finish TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER,
    cached_input_tokens INTEGER NOT NULL, usd REAL, total_ms REAL NOT NULL, parts TEXT NOT NULL,
    retries INTEGER NOT NULL, note TEXT NOT NULL, form TEXT NOT NULL DEFAULT 'none',
    usd_estimated INTEGER NOT NULL DEFAULT 0, cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (server TEXT NOT NULL, form TEXT NOT NULL, PRIMARY KEY (server, form)) WITHOUT ROWID;
"""
_SINCE = {  # what files of a format lack
    1: (  # prompts that a filter refused had no cost there, and are asked again
        "ALTER TABLE answers ADD COLUMN form TEXT NOT NULL DEFAULT 'none'",
        "ALTER TABLE answers ADD COLUMN usd_estimated INTEGER NOT NULL DEFAULT 0",
        "DELETE FROM answers WHERE finish = 'content_filter' AND text IS NULL AND output_tokens IS NULL",
    ),
    2: (
        "ALTER TABLE answers ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE answers ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0",
        "UPDATE answers SET total_ms = -1 WHERE total_ms = 0",
    ),
}
_NOT_TIMED = -1.0


class AnswerCache:
    """Kept answers; safe with several threads and processes at once. The file is made when it is first needed.

    A file of a format before is brought to this one when it is opened.

    Args:
        path: The SQLite file.

    Limit: on a network file system SQLite's locks may not hold between machines.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def get(self, key: str) -> Reply | None:
        """The reply under a key, with the timing it had, marked as from the cache.

        Raises:
            TailTuneError: The file cannot be read.
        """
        rows = self._run("SELECT * FROM answers WHERE key = ?", key)
        return _reply(rows[0]) if rows else None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply, in place of what was kept under the key.

        Raises:
            TailTuneError: The file cannot be written.
        """
        tokens = (reply.input_tokens, reply.output_tokens, reply.cached_input_tokens)
        total_ms = _NOT_TIMED if math.isnan(reply.timing.total_ms) else reply.timing.total_ms
        timing = (total_ms, json.dumps(dict(reply.timing.parts)))
        how = (reply.retries, reply.note, reply.form, reply.usd_estimated)
        more = (reply.cache_write_tokens, reply.reasoning_tokens)
        values = (key, reply.text, reply.finish, *tokens, reply.usd, *timing, *how, *more)
        places = ", ".join("?" * len(values))
        self._run(f"INSERT OR REPLACE INTO answers VALUES ({places})", *values)  # noqa: S608

    def refused(self, server: str) -> frozenset[str]:
        """The forms of constrained decoding that a server has refused."""
        return frozenset(form for (form,) in self._run("SELECT form FROM refused WHERE server = ?", server))

    def note_refused(self, server: str, form: str) -> None:
        """Remember that a server refuses a form, so that the answers it gave instead are found again."""
        self._run("INSERT OR IGNORE INTO refused VALUES (?, ?)", server, form)

    def rows(self) -> int:
        """Answers that are kept."""
        return int(self._run("SELECT count(*) FROM answers")[0][0])

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        """Close what nobody closed: Python 3.13 warns of connections that are left open."""
        self.close()

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._errors_explained():
            if self._connection is None:
                self._connection = self._connected()
            with self._connection:
                return self._connection.execute(statement, values).fetchall()

    def _connected(self) -> sqlite3.Connection:
        private_folder(self._path.parent)
        private_file(self._path)
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, check_same_thread=False)
        try:
            # Tables first: another process may make the file meanwhile, and marks it when it makes them.
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            (mark,), known = connection.execute("PRAGMA application_id").fetchone(), _format(connection)
            if tables and (mark != _MARK or known not in (*_SINCE, _FORMAT)):
                raise TailTuneError(f"{self._path}: not a file of answers that this version kept", self._remedy())
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a crash of this process loses nothing
            if not tables:
                connection.executescript(
                    f"BEGIN IMMEDIATE; PRAGMA application_id={_MARK}; PRAGMA user_version={_FORMAT};{_TABLES}COMMIT;"
                )
            elif known in _SINCE:
                _renew(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            message = str(error)
            if "locked" in message or "busy" in message:
                raise BusyError(
                    f"{self._path}: another process has held the file of kept answers for {_WAIT_S:.0f} seconds",
                    "run again when it has finished",
                ) from None
            raise self._unusable(message) from error
        except sqlite3.DatabaseError as error:  # the file is there, and is something else or damaged
            with suppress(sqlite3.Error):
                self.close()
            raise TailTuneError(f"{self._path}: no longer readable as kept answers: {error}", self._remedy()) from error
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def _unusable(self, message: str) -> TailTuneError:
        return TailTuneError(
            f"{self._path}: answers cannot be kept there: {message}",
            "make room or the folder writable, or set TAILTUNE_ANSWERS to another file; then run again",
        )

    def _remedy(self) -> str:
        move = shlex.join(["mv", str(self._path), f"{self._path}.old"])
        return f"{move}, then run again; what it held is asked and paid for again"


def _reply(row: tuple[Any, ...]) -> Reply:
    _, text, finish, read, written, cached, usd, total_ms, parts, retries, note, form, estimated, *more = row
    timing = UNTIMED if total_ms == _NOT_TIMED else Timing(total_ms, json.loads(parts))
    return Reply(text, finish, read, written, cached, usd, timing, True, retries, note, form, bool(estimated), *more)


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _renew(connection: sqlite3.Connection) -> None:
    """Bring a file of a format before to this one, unless another process did it meanwhile."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for known in range(_format(connection), _FORMAT):
            for statement in _SINCE[known]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
