"""A disk that is full or may not be written: one line that names the file, the old file whole, no rubbish."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from services.mlflow.conftest import THIRD_PARTY

from tailtune.core.errors import ServiceError, TailTuneError, of_system
from tailtune.core.language import Reply
from tailtune.core.records import Row
from tailtune.core.reports import CurateReport
from tailtune.services import store
from tailtune.services.endpoint import AnswerCache
from tailtune.services.mlflow import connect, home

pytestmark = THIRD_PARTY

ROWS = [Row(str(place), "a text", "a", f"f:{place}", "train") for place in range(3)]
REPORT = CurateReport(
    use_case="toy",
    stage="curate",
    rows_read=1,
    rows_kept=1,
    dropped={},
    splits={"train": 1},
    labels={"a": 1},
    test_file=False,
)
WRITERS: dict[str, Callable[[Path], Any]] = {
    "JSON": lambda path: store.write_json(path, {"a": 1}),
    "JSON lines": lambda path: store.write_jsonl(path, [{"a": 1}] * 3),
    "a report": lambda path: store.write_report(path, REPORT),
    "rows": lambda path: store.write_rows(path, [ROWS, ROWS]),
}
NUMBERS = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]


@pytest.mark.parametrize("before", [None, b"old"], ids=["a new file", "in place of an old one"])
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_a_file_is_written_whole_or_not_at_all(
    number: int, writer: str, before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(TailTuneError) as raised:
        WRITERS[writer](path)
    assert raised.value.message == f"{path}: cannot be written: {os.strerror(number)}"
    assert raised.value.hint == "make room, then run again"
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({} if before is None else {"file": before})
    monkeypatch.undo()
    WRITERS[writer](path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_fills_up_while_a_file_is_written(writer: str, tmp_path: Path) -> None:
    """The temporary neighbour leads to the device that is always full."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    (tmp_path / f".file.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(TailTuneError, match=r"cannot be written: .*No space left"):
        WRITERS[writer](path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_kept_answers_outlive_a_full_disk(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.put("first", Reply("a", "stop", 1, 1))
    assert cache._connection is not None
    cache._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(TailTuneError, match="answers cannot be kept there: database or disk is full") as raised:
        cache.put("second", Reply("b" * 100_000, "stop", 1, 1))
    assert "make room" in (raised.value.hint or "")
    cache.close()
    kept = cache.get("first")
    assert kept is not None and kept.text == "a"
    assert cache.get("second") is None
    cache.put("second", Reply("b" * 100_000, "stop", 1, 1))
    assert cache.rows() == 2
    cache.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_full_disk_without_a_file_name_is_looked_for_where_libraries_write(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/scratch")
    shown = str(of_system(OSError(number, os.strerror(number))))
    assert shown.startswith(f"the disk of this folder or of TMPDIR (/scratch): {os.strerror(number)}")


def test_no_room_for_the_copy_before_a_migration_is_told_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('of another MLflow')")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(home, "_copy", full)
    with pytest.raises(ServiceError, match="preparing the store failed: database or disk is full"):
        connect(f"sqlite:///{database}", cast(Any, None))
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", ".lock"}
