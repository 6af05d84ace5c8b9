"""The store: what the monitor asks, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.logged import DayCount
from tailtune.services.prediction_log import LoggedPrediction, Spool
from tailtune.services.prediction_log.store import COLUMNS, PredictionLog
from tailtune.services.prediction_log.tables import MIGRATIONS
from tailtune.services.prediction_log.writer import move_spools

from .rows import DAY_US, NOON_US, row


def stored(log: PredictionLog, folder: Path, *rows: LoggedPrediction) -> None:
    spool = Spool(folder)
    assert spool.append(rows)
    spool.close()
    move_spools(log, folder)


def test_every_field_comes_back(log: PredictionLog, folder: Path) -> None:
    full = row(
        7,
        version=None,
        route="passthrough",
        row=2,
        client="team-a",
        text_hash="ab",
        confidence=0.75,
        likeliest=(("billing", 0.75), ("refund", 0.2)),
        embedding=bytes(range(256)) * 3,
        novelty=0.5,
        unknown_share=0.25,
        tokens=17,
        usd=0.002,
        metadata={"channel": "mail", "deep": {"x": [1, None]}},
        slices={"channel": "mail"},
    )
    stored(log, folder, full)
    (found,) = log.rows("inbox")
    assert set(found) == set(COLUMNS) == set(LoggedPrediction.__dataclass_fields__)
    assert found["likeliest"] == [["billing", 0.75], ["refund", 0.2]]
    simple = {name: getattr(full, name) for name in COLUMNS if name != "likeliest"}
    assert {name: found[name] for name in simple} == simple


def test_rows_of_a_time_come_in_order_whatever_the_batch(log: PredictionLog, folder: Path) -> None:
    rows = [row(number // 3) for number in range(20)]  # three at each moment
    stored(log, folder, *reversed(rows), row(3, use_case="other"))
    for batch_rows in (1, 2, 3, 7, 100):
        times = [found["at_us"] for found in log.rows("inbox", columns=("at_us",), batch_rows=batch_rows)]
        assert times == [made.at_us for made in rows]
    window = log.rows("inbox", since_us=NOON_US + 2_000_000, until_us=NOON_US + 4_000_000, columns=("request_id",))
    assert [found["request_id"] for found in window] == ["r2"] * 3 + ["r3"] * 3
    assert [found["request_id"] for found in log.last("inbox", 2, ("request_id",))] == ["r6", "r6"]


def test_rows_are_picked_by_version_and_route(log: PredictionLog, folder: Path) -> None:
    stored(log, folder, row(1), row(2, version="4"), row(3, version="4", route="shadow"))
    picked = log.rows("inbox", version="4", route="shadow", columns=("request_id",))
    assert list(picked) == [{"request_id": "r3"}]


def test_a_share_of_the_rows_is_drawn_whatever_their_order(log: PredictionLog, folder: Path) -> None:
    stored(log, folder, *(row(n, route="shadow" if n % 2 else "model") for n in range(2000)))
    for every in (2, 4, 10):
        drawn = [found["request_id"] for found in log.rows("inbox", route="model", every=every)]
        assert 0.8 < len(drawn) * every / 1000 < 1.2
        assert drawn == [found["request_id"] for found in log.rows("inbox", route="model", every=every)]


def test_of_requests_named_alike_the_last_counts_or_that_of_a_time(log: PredictionLog, folder: Path) -> None:
    alike = [row(number, request_id="same") for number in (1, 3, 2)]
    stored(log, folder, *alike, row(3, request_id="same", route="shadow", text="unheard"))
    for at_us, expected in ((None, "text 3"), *((each.at_us, each.text) for each in alike)):
        found = log.answered("inbox", "same", 0, "3", at_us)
        assert found is not None and found["text"] == expected
    assert log.answered("inbox", "same", 0, "3", NOON_US) is None


def test_days_are_counted_by_version_and_route(log: PredictionLog, folder: Path) -> None:
    night = NOON_US + DAY_US // 2
    stored(
        log,
        folder,
        row(1),
        row(2, latency_ms=2.5, answer=None),
        row(3, at_us=night - 1),
        row(4, at_us=night, version=None, route="passthrough", usd=None),
        row(5, at_us=night, version=None, route="passthrough", usd=0.5),
    )
    assert log.days("inbox") == [
        DayCount(20_000, "3", "model", 3, 1, pytest.approx(5.5 / 3), 0.0, 0),
        DayCount(20_001, None, "passthrough", 2, 0, 1.5, 0.5, 1),
    ]
    assert [count.day for count in log.days("inbox", since_us=night)] == [20_001]


def test_the_texts_of_a_request_are_found(log: PredictionLog, folder: Path) -> None:
    stored(
        log,
        folder,
        row(1),
        row(1, row=1, text=None),
        row(1, text="of the shadow", route="shadow"),
        row(1, use_case="other"),
    )
    assert log.request("inbox", "r1") == {0: "text 1", 1: None}
    assert log.request("inbox", "r2") == {}


def test_old_rows_are_deleted_and_their_room_given_back(log: PredictionLog, folder: Path) -> None:
    stored(log, folder, *(row(number, text="x" * 2000) for number in range(300)))
    before = log.size_bytes()
    assert log.delete_before("inbox", NOON_US + 290 * 1_000_000, batch_rows=100) == 290
    assert len(list(log.rows("inbox"))) == 10
    if log.shown.startswith("sqlite"):  # PostgreSQL uses the room again, and its vacuum gives it back
        assert log.size_bytes() < before / 4


def test_processes_that_make_the_store_at_once_make_one(url: str) -> None:
    failed: list[Exception] = []

    def make() -> None:
        try:
            PredictionLog(url).close()
        except Exception as error:
            failed.append(error)

    makers = [threading.Thread(target=make) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert failed == []
    with create_engine(url).connect() as connection:
        assert connection.execute(text("SELECT version FROM log_version")).all() == [(len(MIGRATIONS),)]


def test_a_store_that_the_first_program_made_still_opens(tmp_path: Path, folder: Path) -> None:
    """`version_1.sql` is the dump of a store that the code before `services/database.py` made."""
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as made:
        made.executescript((Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8"))
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.sqlite'}")
    stored(log, folder, row(4))
    assert [found["request_id"] for found in log.rows("inbox")] == ["r1", "r2", "r4"]
    assert [found.label for found in log.feedback("inbox")] == ["refund"]
    assert log.counts("inbox").stored == 3
    log.close()


def test_a_store_of_a_newer_program_is_refused(url: str) -> None:
    PredictionLog(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE log_version SET version = 99"))
    engine.dispose()
    with pytest.raises(UsageError) as refused:
        PredictionLog(url)
    assert "a newer TailTune wrote it (tables of version 99); expected version 1 or older" in refused.value.message
    assert "TAILTUNE_PREDICTION_LOG" in str(refused.value.hint)


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_text("no database at all, only words, and more of them" * 50)
    with pytest.raises(ServiceError, match=r"the prediction log sqlite:.*log\.sqlite: file is not a database"):
        PredictionLog(f"sqlite:///{tmp_path / 'log.sqlite'}")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("nonsense", "no address of a database"),
        ("mysql://u:secret@host/x", "mysql is not supported"),
        ("postgresql+nodriver://u:secret@host/x", r"its driver is not installed"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(address: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as refused:
        PredictionLog(address)
    assert "secret" not in str(refused.value)


def test_looking_makes_no_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    assert PredictionLog.existing(url) is None
    assert list(tmp_path.iterdir()) == []
    PredictionLog(url).close()
    assert PredictionLog.existing(url) is not None


def test_only_its_owner_may_read_a_sqlite_store(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log' / 'predictions.sqlite'}")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "log").iterdir()} == {0o600}
    log.close()
