"""Several rooms in one database: each makes its own tables, and knows nothing of the others'."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text

from tailtune.core.errors import ServiceError, UsageError
from tailtune.services.database import Database, Room, insert_or_update

_PLANTS = Table("plant", MetaData(), Column("id", Integer, primary_key=True), Column("leaves", Integer))


def _first(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE plant (id INTEGER PRIMARY KEY)"))


def _second(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE plant ADD COLUMN leaves INTEGER"))


GARDEN = Room("the garden", "garden_version", (_first, _second))
SHED = Room(
    "the shed", "shed_version", (lambda connection: connection.execute(text("CREATE TABLE tool (id INTEGER)")),)
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'db.sqlite'}"


def test_each_room_has_its_own_tables_and_version(url: str) -> None:
    garden, shed = Database(url, GARDEN), Database(url, SHED)
    with shed.reading() as connection:
        assert connection.scalar(text("SELECT version FROM garden_version")) == 2
        assert connection.scalar(text("SELECT version FROM shed_version")) == 1
    with garden.writing() as connection:
        connection.execute(insert(_PLANTS).values(id=1, leaves=3))
    garden.close()
    shed.close()


def test_only_the_missing_steps_are_applied(url: str) -> None:
    Database(url, Room("the garden", "garden_version", (_first,))).close()
    database = Database(url, GARDEN)
    with database.reading() as connection:
        assert connection.execute(select(_PLANTS)).all() == []
    database.close()


def test_a_newer_room_keeps_only_itself_closed(url: str) -> None:
    Database(url, GARDEN).close()
    with pytest.raises(UsageError, match=r"the garden sqlite:.*tables of version 2\); expected version 1 or older"):
        Database(url, Room("the garden", "garden_version", (_first,)))
    Database(url, SHED).close()


def test_a_step_that_fails_leaves_nothing_behind(url: str) -> None:
    broken = Room("the garden", "garden_version", (_first, lambda connection: connection.execute(text("nonsense"))))
    with pytest.raises(ServiceError, match=r"the garden sqlite:.*syntax error"):
        Database(url, broken)
    Database(url, GARDEN).close()


def test_a_block_that_raises_writes_nothing(url: str) -> None:
    database = Database(url, GARDEN)
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        connection.execute(insert(_PLANTS).values(id=1))
        raise ZeroDivisionError
    with database.reading() as connection:
        assert connection.execute(select(_PLANTS)).all() == []
    database.close()


def test_a_row_is_inserted_or_updated(url: str) -> None:
    database = Database(url, GARDEN)
    for leaves in (1, 2):
        with database.writing() as connection:
            new = insert_or_update(connection, _PLANTS).values(id=1, leaves=leaves)
            connection.execute(new.on_conflict_do_update(index_elements=[_PLANTS.c.id], set_={"leaves": leaves}))
    with database.reading() as connection:
        assert connection.execute(select(_PLANTS)).all() == [(1, 2)]
    database.close()


def test_an_error_says_what_happens_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite").write_text("no database at all, only words" * 50)
    with pytest.raises(ServiceError) as failed:
        Database(f"sqlite:///{tmp_path / 'db.sqlite'}", Room("the garden", "v", (), "plants wait in their pots"))
    assert str(failed.value.hint).endswith("TAILTUNE_PREDICTION_LOG; plants wait in their pots")


def test_a_file_that_was_never_made_is_known(url: str) -> None:
    assert not Database.exists(url)
    Database(url, SHED).close()
    assert Database.exists(url)
    assert Database.exists("postgresql://nobody@127.0.0.1/nothing")
