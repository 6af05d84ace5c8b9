"""The store's tables, as they are now, and the steps that lead there from nothing or from an older program's store."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from tailtune.services.database import NUMBERED

META = MetaData()

PREDICTION = Table(
    "prediction",
    META,
    Column("id", NUMBERED, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("use_case", Text, nullable=False),
    Column("version", Text),
    Column("route", String(16), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("row", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("text", Text),
    Column("text_hash", Text),
    Column("answer", Text),
    Column("confidence", Float(53)),
    Column("likeliest", Text, nullable=False),
    Column("embedding", LargeBinary),
    Column("novelty", Float(53)),
    Column("unknown_share", Float(53)),
    Column("tokens", BigInteger),
    Column("latency_ms", Float(53)),
    Column("usd", Float(53)),
    Column("metadata", Text, nullable=False),
    Column("slices", Text, nullable=False),
    Index("prediction_by_time", "use_case", "at_us", "id"),
    Index("prediction_by_request", "request_id"),
)
"""One row per answered row: the fields of `LoggedPrediction`; `likeliest`, `metadata` and `slices` are JSON."""

FEEDBACK = Table(
    "feedback",
    META,
    Column("id", NUMBERED, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("use_case", Text, nullable=False),
    Column("request_id", Text),
    Column("row", BigInteger, nullable=False),
    Column("text", Text),
    Column("label", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("taken", Boolean, nullable=False, server_default=false()),
    Index("feedback_by_time", "use_case", "at_us"),
)
"""One row per right answer that a person sent; `taken` once it stands among the use case's labelled rows."""

SEGMENT = Table(
    "segment",
    META,
    Column("name", Text, primary_key=True),
    Column("moved_bytes", BigInteger, nullable=False),
)
"""One row per file of a spool that is being moved: how much of it is in the store. Written in the transaction that
stores these bytes' rows, so that no crash stores a row twice."""

TALLY = Table(
    "tally",
    META,
    Column("use_case", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("what", String(16), primary_key=True),
    Column("rows", BigInteger, nullable=False),
)
"""One row per use case, day (since 1970-01-01, UTC) and kind: rows stored, rows not logged, lines torn. Deleting
predictions by age leaves it as it is."""


def _first_tables(connection: Connection) -> None:
    META.create_all(connection, tables=[PREDICTION, FEEDBACK, SEGMENT, TALLY])


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first_tables,)
"""The steps, oldest first; a store remembers how many it has had. Append here, never change one.

A step that follows must not use the tables above where they may change later: write its statements out, and give the
first step its tables as they were.
"""
