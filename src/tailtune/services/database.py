"""The database that servers and monitors keep things in: SQLite or PostgreSQL by URL, each room with its own tables.

A room is a package of services/ that keeps tables there: the prediction log, the outbox. Each has a list of steps that
make its tables, and a table that says how many of them a database has had, so no room waits for another's steps.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self
from zlib import crc32

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.locks import is_taken
from tailtune.core.private import private_file, private_folder
from tailtune.core.secrets import without_password

VARIABLE = "TAILTUNE_PREDICTION_LOG"
"""The environment variable that holds the database's address."""
NUMBERED = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER column
"""Type of a primary key that the database counts up."""
_WRITES = "tailtune_writes"
_MIGRATING = 7_316_255_021  # PostgreSQL's advisory lock of whoever brings the tables up to date
_BUSY_S, _CONNECT_S = 15, 5


@dataclass(frozen=True)
class Room:
    """One per room that keeps tables in the database.

    Attributes:
        name: As errors name it: `the prediction log`.
        version_table: Name of its table with one row: how many of the steps have been applied.
        migrations: The steps that lead to its tables, oldest first; append, never change one.
        meanwhile: What errors say of its work while the database does not answer; may be empty.
    """

    name: str
    version_table: str
    migrations: Sequence[Callable[[Connection], None]]
    meanwhile: str = ""


class Database:
    """One per process, database and room.

    Args:
        url: As SQLAlchemy writes it: `sqlite:////folder/file`, `postgresql://user@host/name`.
        room: Whose tables are used; they are made, or brought up to date.

    Raises:
        UsageError: No such kind of database, its driver is not installed, or a newer program made the room's tables.
        ServiceError: It does not answer.
    """

    def __init__(self, url: str, room: Room) -> None:
        self.shown = without_password(url)
        address = _address(url, self.shown)
        self._room = room
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.file = Path(address.database) if self.is_sqlite and address.database else None
        self._engine = _engine(address, room.name, self.shown)
        with self._errors(), _making(self.file):
            self._bring_up_to_date()

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there may be something in it; False only for a SQLite file that was never made.

        Raises:
            UsageError: No such kind of database.
        """
        address = _address(url, without_password(url))
        return address.get_backend_name() != "sqlite" or Path(address.database or "").is_file()

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by.

        Raises:
            ServiceError: The database does not answer.
        """
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, alone: str = "") -> Iterator[Connection]:
        """A connection in a transaction, which is committed at the end of the block unless that raises.

        Args:
            alone: Transactions of the same word come one after the other; in SQLite all of them do.

        Raises:
            ServiceError: The database does not answer, or SQLite's file is locked for 15 s.
        """
        options = {_WRITES: True}
        with self._errors(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            if alone and not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(crc32(alone.encode()))))
            yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        """Be the only process that does something while the block runs; whoever ends, however, lets go of it.

        No clock is in it, so no jump of a clock lets two in. Limit: a connection to PostgreSQL that breaks lets go
        while the block goes on.

        Args:
            what: A word for it.

        Yields:
            Whether this one is; False where another process is at it.

        Raises:
            ServiceError: The database does not answer.
        """
        if self.file is not None:
            lock = self.file.with_name(f"{self.file.name}.{what}.lock")
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                yield not is_taken(descriptor)
            finally:
                os.close(descriptor)
            return
        with self._errors(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # closed, not given back: whatever happens, the lock ends with its session
            key = crc32(what.encode())
            is_ours = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
            try:
                yield is_ours
            finally:
                with suppress(SQLAlchemyError):  # at once: a session that is closed goes on for a moment
                    if is_ours:
                        connection.execute(select(func.pg_advisory_unlock(key)))

    def size_bytes(self, tables: Sequence[Table]) -> int:
        """Room on the disk: of the tables in PostgreSQL, of the whole file in SQLite."""
        if self.file is not None:
            files = [self.file.with_name(self.file.name + end) for end in ("", "-wal", "-shm")]
            return sum(file.stat().st_size for file in files if file.is_file())
        with self.reading() as connection:
            sizes = (func.pg_total_relation_size(table.name) for table in tables)
            return sum(int(connection.scalar(select(size)) or 0) for size in sizes)

    def shrink(self) -> None:
        """Give the room of deleted rows back to the disk, where the database does not do so itself.

        Raises:
            ServiceError: The database does not answer.
        """
        if self.is_sqlite:
            with self._errors():
                connection = self._engine.raw_connection()
                try:
                    # As a script, which runs to its end: a single statement would free one page.
                    connection.cursor().executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            meanwhile = f"; {self._room.meanwhile}" if self._room.meanwhile else ""
            raise ServiceError(
                f"{self._room.name} {self.shown}: {reason[:300]}",
                f"{self._remedy(reason)}, or set {VARIABLE}{meanwhile}",
            ) from error

    def _remedy(self, reason: str) -> str:
        if self.file is None:
            return "start the database"
        if "malformed" in reason or "not a database" in reason:
            return f"put a backup of {self.file.name} back, or move it away, and all that it holds, to begin a new one"
        return "make room on its disk, or mend who may write there"

    def _bring_up_to_date(self) -> None:
        """Apply the room's steps that the database has not had, one process at a time.

        Raises:
            UsageError: It has had more than this program knows.
        """
        steps = self._room.migrations
        table = Table(self._room.version_table, MetaData(), Column("version", Integer, nullable=False))
        with self.reading() as connection:
            version = _version(connection, table)
        if version < len(steps):
            with self.writing() as connection:
                if not self.is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
                version = _version(connection, table)  # another one may have been quicker
                for step in steps[version:]:
                    step(connection)
                table.create(connection, checkfirst=True)
                connection.execute(delete(table))
                version = max(version, len(steps))
                connection.execute(insert(table).values(version=version))
        if version > len(steps):
            raise UsageError(
                f"{self._room.name} {self.shown}: a newer TailTune wrote it (tables of version {version}); expected "
                f"version {len(steps)} or older",
                f"install that TailTune, or set {VARIABLE} to another database",
            )


def insert_or_update(connection: Connection, table: Table) -> Any:
    """An INSERT of the database's own kind, which has `on_conflict_do_update`."""
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)


@contextmanager
def _making(file: Path | None) -> Iterator[None]:
    """Let one process at a time make or open a SQLite file: two that make it at once would lock each other out.

    A file that is there is not opened here: closing it would drop SQLite's own locks of this process.
    """
    if file is None:
        yield
        return
    private_folder(file.parent)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not file.exists():
            private_file(file)
        yield
    finally:
        os.close(folder)


def _version(connection: Connection, table: Table) -> int:
    if not inspect(connection).has_table(table.name):
        return 0
    return int(connection.scalar(select(table.c.version)) or 0)


def _address(url: str, shown: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise UsageError(
            f"{VARIABLE} {shown}: no address of a database; expected sqlite:////folder/file or "
            "postgresql://user@host/name",
            f"set {VARIABLE} to one of these, or unset it",
        ) from None
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(
            f"{VARIABLE} {shown}: {address.get_backend_name()} is not supported; expected sqlite or postgresql",
            f"set {VARIABLE} to one of these, or unset it",
        )
    return address


def _engine(address: URL, name: str, shown: str) -> Engine:
    on_file = address.get_backend_name() == "sqlite"
    waits: Mapping[str, Any] = {"timeout": _BUSY_S} if on_file else {"connect_timeout": _CONNECT_S}
    read_only = on_file and _is_read_only(Path(address.database or ""))
    if read_only:
        address = _for_reading(address)
    try:
        engine = create_engine(address, connect_args=dict(waits), pool_pre_ping=not on_file, hide_parameters=True)
    except (ImportError, NoSuchModuleError) as error:
        raise UsageError(
            f"{name} {shown}: its driver is not installed ({error})", "pip install 'tailtune[postgres]'"
        ) from None
    if on_file:
        event.listen(engine, "connect", _leave_transactions if read_only else _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _is_read_only(file: Path) -> bool:
    """Whether a SQLite file is there and may only be read, as on a disk that is mounted so."""
    return file.is_file() and not all(os.access(place, os.W_OK) for place in (file, file.parent))


def _for_reading(address: URL) -> URL:
    """A SQLite file that may only be read: without files of SQLite's own beside it, which it could not make there.

    Where a log of changes stands beside it, SQLite has to read that, too.
    """
    file = Path(address.database or "").absolute()
    wal = file.with_name(f"{file.name}-wal")
    immutable = {} if wal.is_file() and wal.stat().st_size else {"immutable": "1"}
    return address.set(database=file.as_uri(), query={"mode": "ro", "uri": "true", **immutable})


def _leave_transactions(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by Python's driver


def _prepare_sqlite(connection: Any, _: object) -> None:
    _leave_transactions(connection, _)
    for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take SQLite's write lock at once where something will be written: taking it later may fail at once."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class RoomStore:
    """One per process and database: what a room keeps there. Each room's class names its room.

    Args:
        url: As SQLAlchemy writes it: `sqlite:////folder/file`, `postgresql://user@host/name`.

    Raises:
        UsageError: No such kind of database, its driver is not installed, or a newer program made its tables.
        ServiceError: It does not answer.

    Attributes:
        shown: The address without its password.
    """

    room: ClassVar[Room]

    def __init__(self, url: str) -> None:
        self._database = Database(url, self.room)
        self.shown = self._database.shown

    @classmethod
    def existing(cls, url: str) -> Self | None:
        """What is kept, for reading; None where nothing was ever written into a SQLite file.

        Raises:
            UsageError: As above.
            ServiceError: As above.
        """
        return cls(url) if Database.exists(url) else None

    def close(self) -> None:
        """Give its connections back."""
        self._database.close()
