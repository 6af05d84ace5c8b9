"""The outbox's tables, as they are now, and the steps that lead there from nothing or from an older program's."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import BigInteger, Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

from tailtune.services.database import NUMBERED

META = MetaData()

TROUBLE = Table(
    "outbox_trouble",
    META,
    Column("id", NUMBERED, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("cleared_us", BigInteger),
    Column("why", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("first_message", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("size", Float(53), nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""One row per trouble. `version` is empty where none is known; `alert` is JSON, as last seen; `kind`, `severity` and
`size` are those of the last message that said that there is trouble, `at_us` is when the last message was recorded,
`first_message` the first since it opened; `opened_us`, `seen_us` and `cleared_us` are times of looks."""

Index(
    "outbox_open",
    TROUBLE.c.use_case,
    TROUBLE.c.version,
    TROUBLE.c.cause,
    unique=True,
    sqlite_where=TROUBLE.c.cleared_us.is_(None),
    postgresql_where=TROUBLE.c.cleared_us.is_(None),
)

MESSAGE = Table(
    "outbox_message",
    META,
    Column("id", NUMBERED, primary_key=True),
    Column("trouble", ForeignKey(TROUBLE.c.id), nullable=False, index=True),
    Column("content", Text, nullable=False),
)
"""One row per message; `content` is JSON (`core.alerts.Message`)."""

DELIVERY = Table(
    "outbox_delivery",
    META,
    Column("id", NUMBERED, primary_key=True),
    Column("message", ForeignKey(MESSAGE.c.id), nullable=False, index=True),
    Column("trouble", ForeignKey(TROUBLE.c.id), nullable=False, index=True),
    Column("channel", String(32), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Column("reason", Text, nullable=False),
)
"""One row per message and channel."""


def _first_tables(connection: Connection) -> None:
    META.create_all(connection, tables=[TROUBLE, MESSAGE, DELIVERY])


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first_tables,)
"""The steps, oldest first. Append here, never change one: a step that follows writes its statements out."""
