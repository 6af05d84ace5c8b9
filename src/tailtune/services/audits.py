"""Audits, kept in the database beside the prediction log: what was drawn, and what labels say of it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, Text, insert, select, update

from tailtune.core.audits import Audit, AuditResult
from tailtune.services.database import Room, RoomStore

Results = list[tuple[Audit, AuditResult]]
"""Draws that have a result."""
_META = MetaData()
_AUDIT = Table(
    "audit",
    _META,
    Column("id", Text, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("audit", Text, nullable=False),
    Column("result", Text),
    Index("audit_by_version", "use_case", "version", "last_day"),
)
"""One row per draw; `audit` and `result` are JSON, the latter null until rows are labelled."""


def _first_tables(connection: Connection) -> None:
    _META.create_all(connection, tables=[_AUDIT])


_ROOM = Room("the audits", "audit_version", (_first_tables,))


class Audits(RoomStore):
    """One per process and database."""

    room = _ROOM

    def keep(self, audit: Audit) -> None:
        """Keep a draw; one that is there already, with its result, stays."""
        values = audit.model_dump(include={"id", "use_case", "version", "last_day"})
        with self._database.writing(alone="audit") as connection:
            if connection.scalar(select(_AUDIT.c.id).where(_AUDIT.c.id == audit.id)) is None:
                connection.execute(insert(_AUDIT).values(audit=audit.model_dump_json(), **values))

    def get(self, use_case: str, audit_id: str) -> Audit | None:
        """A draw; None where there is no such."""
        query = select(_AUDIT.c.audit).where(_AUDIT.c.id == audit_id, _AUDIT.c.use_case == use_case)
        with self._database.reading() as connection:
            found = connection.scalar(query)
        return None if found is None else Audit.model_validate_json(found)

    def drawn_so_far(self, use_case: str, version: str, first_day: int, last_day: int) -> list[Audit]:
        """Draws of a version, from days that were not over then and lie in a window."""
        query = select(_AUDIT.c.audit).where(
            _AUDIT.c.use_case == use_case, _AUDIT.c.version == version, _AUDIT.c.last_day.between(first_day, last_day)
        )
        with self._database.reading() as connection:
            found = connection.scalars(query.order_by(_AUDIT.c.id)).all()
        return [audit for audit in map(Audit.model_validate_json, found) if not audit.is_over]

    def keep_result(self, audit: Audit, judge: Callable[[Results], AuditResult]) -> AuditResult:
        """Keep what labels say; an earlier result of the same draw is replaced.

        Nobody else keeps a result between the read and the write, so none is lost that was kept meanwhile.

        Args:
            audit: The draw.
            judge: Makes its result from those that the version has, oldest window first; it must be quick, and use
                no database.

        Returns:
            What `judge` made.
        """
        with self._database.writing(alone="audit") as connection:
            result = judge(_results(connection, audit.use_case, audit.version))
            at = update(_AUDIT).where(_AUDIT.c.id == audit.id)
            connection.execute(at.values(result=result.model_dump_json()))
        return result

    def results(self, use_case: str, version: str) -> Results:
        """Draws of a version with a result, oldest window first."""
        with self._database.reading() as connection:
            return _results(connection, use_case, version)


def _results(connection: Connection, use_case: str, version: str) -> Results:
    query = select(_AUDIT.c.audit, _AUDIT.c.result).where(
        _AUDIT.c.use_case == use_case, _AUDIT.c.version == version, _AUDIT.c.result.is_not(None)
    )
    found = connection.execute(query.order_by(_AUDIT.c.last_day, _AUDIT.c.id)).all()
    return [(Audit.model_validate_json(audit), AuditResult.model_validate_json(result)) for audit, result in found]
