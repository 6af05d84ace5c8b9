"""Retrains, kept in the database beside the prediction log: when each began, whether it ended, what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, insert, select, update

from tailtune.core.retrains import RetrainOutcome
from tailtune.services.database import NUMBERED, Room, RoomStore

_META = MetaData()
_RETRAIN = Table(
    "retrain",
    _META,
    Column("id", NUMBERED, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Index("retrain_by_use_case", "use_case", "ended_us"),
)
"""One row per retrain that began; `place` is the checkout it works in, `outcome` is JSON."""


def _first_tables(connection: Connection) -> None:
    _META.create_all(connection, tables=[_RETRAIN])


_ROOM = Room("the retrains", "retrain_version", (_first_tables,))


@dataclass(frozen=True)
class EndedRetrain:
    """One per retrain that has ended by itself.

    Attributes:
        ended_us: When, microseconds since 1970 (UTC).
        outcome: What came of it.
    """

    ended_us: int
    outcome: RetrainOutcome


class Retrains(RoomStore):
    """One per process and database."""

    room = _ROOM

    def begin(self, use_case: str, place: str, because: str, at_us: int) -> int:
        """Note that a retrain begins; one that began in the same place and never ended was cut off.

        To be called by whoever works there alone.

        Returns:
            Its number.
        """
        left = (_RETRAIN.c.use_case == use_case) & (_RETRAIN.c.place == place) & (_RETRAIN.c.state == "running")
        new = insert(_RETRAIN).values(use_case=use_case, place=place, because=because, began_us=at_us, state="running")
        with self._database.writing() as connection:
            connection.execute(update(_RETRAIN).where(left).values(state="cut off"))
            (id_,) = connection.execute(new).inserted_primary_key or (0,)
        return int(id_)

    def end(self, id_: int, at_us: int, outcome: RetrainOutcome) -> None:
        """Note what came of a retrain."""
        values = {"ended_us": at_us, "state": outcome.state, "outcome": outcome.model_dump_json()}
        with self._database.writing() as connection:
            connection.execute(update(_RETRAIN).where(_RETRAIN.c.id == id_).values(**values))

    def last(self, use_case: str) -> EndedRetrain | None:
        """The newest retrain that has ended by itself; None where none has. Those cut off may be tried at once."""
        query = select(_RETRAIN.c.ended_us, _RETRAIN.c.outcome).where(
            _RETRAIN.c.use_case == use_case, _RETRAIN.c.outcome.is_not(None)
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_RETRAIN.c.ended_us.desc(), _RETRAIN.c.id.desc())).first()
        return None if found is None else EndedRetrain(int(found[0]), RetrainOutcome.model_validate_json(found[1]))
