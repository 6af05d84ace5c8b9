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

_REMEMBERED = 200
"""Retrains of a use case that are looked through for what was not pushed yet: years of them."""


def _first_tables(connection: Connection) -> None:
    _META.create_all(connection, tables=[_RETRAIN])


_ROOM = Room("the retrains", "retrain_version", (_first_tables,))


@dataclass(frozen=True)
class EndedRetrain:
    """One per retrain that has ended by itself.

    Attributes:
        id: Its number.
        ended_us: When, microseconds since 1970 (UTC).
        outcome: What came of it.
    """

    id: int
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

    def amend(self, id_: int, outcome: RetrainOutcome) -> None:
        """Note what changed of an outcome since, such as that it was pushed; when the retrain ended stays."""
        with self._database.writing() as connection:
            amended = update(_RETRAIN).where(_RETRAIN.c.id == id_).values(outcome=outcome.model_dump_json())
            connection.execute(amended)

    def last(self, use_case: str) -> EndedRetrain | None:
        """The newest retrain that has ended by itself; None where none has. Those cut off may be tried at once."""
        return next(iter(self._ended(use_case, 1)), None)

    def owed(self, use_case: str) -> list[EndedRetrain]:
        """Retrains of which something has not left the machine yet, though it should, oldest first."""
        return [each for each in reversed(self._ended(use_case, _REMEMBERED)) if each.outcome.owed]

    def _ended(self, use_case: str, most: int) -> list[EndedRetrain]:
        """The newest that have ended by themselves, newest first."""
        columns = (_RETRAIN.c.id, _RETRAIN.c.ended_us, _RETRAIN.c.outcome)
        query = select(*columns).where(_RETRAIN.c.use_case == use_case, _RETRAIN.c.outcome.is_not(None))
        query = query.order_by(_RETRAIN.c.ended_us.desc(), _RETRAIN.c.id.desc()).limit(most)
        with self._database.reading() as connection:
            found = connection.execute(query).all()
        return [
            EndedRetrain(int(id_), int(ended_us), RetrainOutcome.model_validate_json(outcome))
            for id_, ended_us, outcome in found
        ]
