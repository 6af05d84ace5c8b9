"""Days that the monitor has counted, kept in the database: a later look needs them, and the log forgets its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, Integer, MetaData, Table, Text, delete, func, select, text

from tailtune.core.alerts import Severity
from tailtune.core.monitored import DayCounts, DayFigures
from tailtune.services.database import Room, RoomStore, insert_or_update

_NEWEST_DAY = 2**31 - 1  # that a database's integer holds
_META = MetaData()
_DAY = Table(
    "monitored_day",
    _META,
    Column("use_case", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),
    Column("sums", Text, nullable=False),
    Column("figures", Text, nullable=False),
)
"""One row per use case, version and day that was counted; counts, sums and figures are JSON."""
_RESTART = Table(
    "monitored_since",
    _META,
    Column("use_case", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Integer, nullable=False),
)
"""One row per use case and version that drifted and is back: evidence is gathered anew from this day on."""

_EVENT = Table(
    "drift_event",
    _META,
    Column("use_case", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("severity", Text, nullable=False),
    Column("size", Float(53), nullable=False),
    Column("labels", Text, nullable=False),
)
"""One row per use case and version whose drift automations were told of, as they were told last."""


def _first_tables(connection: Connection) -> None:
    _META.create_all(connection, tables=[_DAY, _RESTART])


def _events(connection: Connection) -> None:
    columns = "use_case TEXT, version TEXT, at_us BIGINT NOT NULL, severity TEXT NOT NULL"
    rest = "size DOUBLE PRECISION NOT NULL, labels TEXT NOT NULL, PRIMARY KEY (use_case, version)"
    connection.execute(text(f"CREATE TABLE drift_event ({columns}, {rest})"))


_ROOM = Room("the monitor's days", "monitor_version", (_first_tables, _events))


@dataclass(frozen=True)
class KeptDay:
    """One per counted day.

    Attributes:
        counts: What later looks need.
        figures: What charts show.
    """

    counts: DayCounts
    figures: DayFigures


@dataclass(frozen=True)
class DriftEvent:
    """One per time that automations are told of drift.

    Attributes:
        at_us: When, microseconds since 1970 (UTC).
        severity: Of the alert about it.
        size: Of the alert about it.
        labels: Digest of what people had labelled then.
    """

    at_us: int
    severity: Severity
    size: float
    labels: str


class MonitoredDays(RoomStore):
    """One per process and database."""

    room = _ROOM

    def keep(self, use_case: str, version: str, reference: str, days: Iterable[KeptDay]) -> None:
        """Keep days, all or none; a day that was kept before is replaced.

        Args:
            use_case: Whose.
            version: That answered.
            reference: Digest of the reference they were counted with.
            days: What was counted.
        """
        with self._database.writing() as connection:
            for each in days:
                new = {
                    "reference": reference,
                    "rows": each.counts.rows,
                    "counts": json.dumps(each.counts.counts),
                    "sums": json.dumps({key: list(values) for key, values in each.counts.sums.items()}),
                    "figures": each.figures.model_dump_json(),
                }
                _put(connection, _DAY, {"use_case": use_case, "version": version, "day": each.counts.day}, new)

    def kept(self, use_case: str, version: str, reference: str, since: int, until: int = _NEWEST_DAY) -> list[KeptDay]:
        """Days from one to another, both included, that were counted with this reference, oldest first."""
        query = select(_DAY.c.day, _DAY.c.rows, _DAY.c.counts, _DAY.c.sums, _DAY.c.figures).where(
            _DAY.c.use_case == use_case,
            _DAY.c.version == version,
            _DAY.c.reference == reference,
            _DAY.c.day >= since,
            _DAY.c.day <= until,
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_DAY.c.day)).all()
        return [
            KeptDay(
                DayCounts(
                    int(day),
                    int(rows),
                    {key: (int(hits), int(of)) for key, (hits, of) in json.loads(counts).items()},
                    json.loads(sums),
                ),
                DayFigures.model_validate_json(figures),
            )
            for day, rows, counts, sums, figures in found
        ]

    def is_known(self, use_case: str, version: str) -> bool:
        """Whether a day of a version was counted, with any reference."""
        query = select(_DAY.c.day).where(_DAY.c.use_case == use_case, _DAY.c.version == version).limit(1)
        with self._database.reading() as connection:
            return connection.scalar(query) is not None

    def last_look(self, use_case: str, until: int = _NEWEST_DAY) -> int | None:
        """The newest day of a use case, up to one, that was looked at, of any version; None where none was."""
        query = select(func.max(_DAY.c.day)).where(_DAY.c.use_case == use_case, _DAY.c.day <= until)
        with self._database.reading() as connection:
            last = connection.scalar(query)
        return None if last is None else int(last)

    def last_whole_look(self, use_case: str, until: int = _NEWEST_DAY) -> int | None:
        """The newest day of a use case, up to one, that was looked at to its end; None where none was looked at.

        Where none was looked at to its end, it is the day before the first.
        """
        there = select(_DAY.c.day, _DAY.c.figures).where(_DAY.c.use_case == use_case, _DAY.c.day <= until)
        days = there.order_by(_DAY.c.day.desc())
        first = None
        with self._database.reading() as connection:
            for day, figures in connection.execute(days):
                if DayFigures.model_validate_json(figures).is_over:
                    return int(day)
                first = int(day)
        return None if first is None else first - 1

    def restarted(self, use_case: str, version: str) -> int | None:
        """Day from which evidence is gathered, as drift before it is over; None from the first."""
        query = select(_RESTART.c.day).where(_RESTART.c.use_case == use_case, _RESTART.c.version == version)
        with self._database.reading() as connection:
            day = connection.scalar(query)
        return None if day is None else int(day)

    def restart(self, use_case: str, version: str, day: int) -> None:
        """Let evidence be gathered anew from a day on."""
        with self._database.writing() as connection:
            _put(connection, _RESTART, {"use_case": use_case, "version": version}, {"day": day})

    def last_event(self, use_case: str, version: str) -> DriftEvent | None:
        """What automations were told last of a version's drift; None where nothing since it began."""
        columns = (_EVENT.c.at_us, _EVENT.c.severity, _EVENT.c.size, _EVENT.c.labels)
        query = select(*columns).where(_EVENT.c.use_case == use_case, _EVENT.c.version == version)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else DriftEvent(int(row.at_us), row.severity, float(row.size), row.labels)

    def keep_event(self, use_case: str, version: str, event: DriftEvent) -> None:
        """Note what automations were told."""
        with self._database.writing() as connection:
            _put(connection, _EVENT, {"use_case": use_case, "version": version}, asdict(event))

    def forget_event(self, use_case: str, version: str) -> None:
        """Note that the drift is over: the next is news."""
        with self._database.writing() as connection:
            connection.execute(delete(_EVENT).where(_EVENT.c.use_case == use_case, _EVENT.c.version == version))


def _put(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Add a row, or replace the one of that key; two looks at once do not meet."""
    new = insert_or_update(connection, table).values(**key, **values)
    connection.execute(new.on_conflict_do_update(index_elements=[*table.primary_key.columns], set_=values))
