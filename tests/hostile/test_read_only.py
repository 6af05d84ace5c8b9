"""Stores that may only be read: reading works and leaves nothing there, writing is refused before work is done.

`os.access` is what says so; it is a double here, because tests may run as root, whom rights do not bind.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY

from tailtune.core.errors import ServiceError
from tailtune.services.mlflow import check_writable, home
from tailtune.services.prediction_log import LoggedPrediction, Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import move_spools

pytestmark = THIRD_PARTY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a prediction log with a row."""
    spool = Spool(tmp_path / "spool")
    spool.append([LoggedPrediction(1, "toy", "3", "model", "r1", 1.0)])
    with closing(PredictionLog(f"sqlite:///{tmp_path / 'kept' / 'log.sqlite'}")) as log:
        move_spools(log, tmp_path / "spool")
    return tmp_path / "kept"


def protect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: allowed(path, mode) and not (mode == os.W_OK and Path(path) == folder)
    )


def test_a_log_that_may_only_be_read_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protect(folder, monkeypatch)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with closing(PredictionLog(f"sqlite:///{folder / 'log.sqlite'}")) as log:
        assert [row["request_id"] for row in log.rows("toy")] == ["r1"]
        with pytest.raises(ServiceError, match="readonly database") as raised:
            log.feedback_taken([1])
    assert "make room on its disk, or mend who may write there" in str(raised.value.hint)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_rows_that_stand_in_the_log_of_changes_are_read_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{folder / 'log.sqlite'}"
    spool = Spool(folder.parent / "spool")
    spool.append([LoggedPrediction(2, "toy", "3", "model", "r2", 1.0)])
    with closing(PredictionLog(url)) as writer:
        move_spools(writer, folder.parent / "spool")
        assert (folder / "log.sqlite-wal").stat().st_size
        protect(folder, monkeypatch)
        with closing(PredictionLog(url)) as log:
            assert [row["request_id"] for row in log.rows("toy")] == ["r1", "r2"]


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + bytes(range(256)) * 40, bytes(range(256)) * 40])
def test_a_torn_log_is_put_back_or_moved_away(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(content)
    with pytest.raises(ServiceError) as raised:
        PredictionLog(f"sqlite:///{tmp_path / 'log.sqlite'}")
    assert str(raised.value.hint).startswith("put a backup of log.sqlite back, or move it away")


def test_a_stage_is_refused_before_it_has_worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    check_writable(uri)
    protect(tmp_path, monkeypatch)
    with pytest.raises(ServiceError, match=f"{tmp_path}: may not be written") as raised:
        check_writable(uri)
    assert "TAILTUNE_TRACKING_URI" in str(raised.value.hint)
    check_writable("http://127.0.0.1:1")


@pytest.mark.parametrize("why", ["attempt to write a readonly database", "database or disk is full"])
def test_the_reason_is_that_of_the_database(why: str) -> None:
    from mlflow.exceptions import MlflowException

    text = f"(raised as a result of Query-invoked autoflush; consider …)\n(sqlite3.OperationalError) {why}\n[SQL: x]"
    with (
        pytest.raises(ServiceError, match=rf"noting it failed: \(sqlite3.OperationalError\) {why}\n"),
        home.service_errors("sqlite:////x/mlflow.db", "noting it"),
    ):
        raise MlflowException(text)
