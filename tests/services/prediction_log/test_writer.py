"""The writer: each row once in the store, whoever is killed and whatever is away meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import BusyError, ServiceError, TailTuneError
from tailtune.core.logged import LogCounts
from tailtune.services.prediction_log import LoggedFeedback, Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import Moved, counts, keep_moving, move_spools

from .rows import DAY_US, NOON_US, row, segments


class KilledError(Exception):
    """Stands for the end of the process."""


class Dies(PredictionLog):
    """Is killed before or after a transaction."""

    after, transactions = False, 0

    def take(self, *words: Any) -> bool:
        self.transactions += 1
        if self.transactions == 2 and not self.after:
            raise KilledError
        done = super().take(*words)
        if self.transactions == 2:
            raise KilledError
        return done


def requests(log: PredictionLog) -> list[str]:
    return [found["request_id"] for found in log.rows("inbox", columns=("request_id",))]


def test_rows_are_moved_and_finished_segments_removed(log: PredictionLog, folder: Path) -> None:
    living, ended = Spool(folder), Spool(folder)
    living.append([row(1)])
    ended.append([row(2), row(2, row=1)])
    ended.close()
    assert move_spools(log, folder) == Moved(rows=3)
    assert move_spools(log, folder) == Moved()
    assert len(segments(folder)) == 1
    living.append([row(3)])
    assert counts(log, folder, "inbox") == LogCounts(stored=3, spooled=1)
    living.close()
    assert move_spools(log, folder) == Moved(rows=1)
    assert segments(folder) == []
    assert requests(log) == ["r1", "r2", "r2", "r3"]
    assert counts(log, folder, "inbox") == LogCounts(stored=4)


def test_a_missing_folder_is_an_empty_one(log: PredictionLog, folder: Path) -> None:
    assert move_spools(log, folder) == Moved()
    assert counts(log, folder, "inbox") == LogCounts()


@pytest.mark.parametrize("after", [False, True], ids=["before it is stored", "after it is stored"])
def test_a_writer_that_is_killed_doubles_and_loses_nothing(url: str, folder: Path, after: bool) -> None:
    spool = Spool(folder)
    for number in range(30):
        spool.append([row(number)])
    spool.close()
    dies = Dies(url)
    dies.after = after
    with pytest.raises(KilledError):
        move_spools(dies, folder, chunk_bytes=3000)
    dies.close()
    log = PredictionLog(url)
    stored = len(requests(log))
    assert 0 < stored < 30
    assert counts(log, folder, "inbox") == LogCounts(stored=stored, spooled=30 - stored)
    move_spools(log, folder, chunk_bytes=3000)
    assert requests(log) == [f"r{number}" for number in range(30)]
    log.close()


def test_a_writer_that_is_killed_before_it_removes_a_segment_moves_it_once(log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    spool.close()
    (segment,) = segments(folder)
    content = segment.read_bytes()
    kept: Callable[[str], None] = log.forget
    log.forget = lambda _: None  # type: ignore[method-assign]
    move_spools(log, folder)
    segment.write_bytes(content)  # as if it had not been removed
    log.forget = kept  # type: ignore[method-assign]
    assert move_spools(log, folder) == Moved()
    assert (requests(log), segments(folder)) == (["r1"], [])


def test_a_torn_last_line_is_left_until_its_worker_is_gone_and_counted_then(log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    (segment,) = segments(folder)
    with segment.open("ab") as file:
        file.write(b'[1,{"kind":"pred')
    assert move_spools(log, folder) == Moved(rows=1)
    spool.close()
    assert move_spools(log, folder) == Moved(torn=1)
    assert segments(folder) == []
    assert counts(log, folder, "inbox") == LogCounts(stored=1, torn=1)


@pytest.mark.parametrize(
    "line",
    [
        b"\0\0\0\0",
        b"[1,{}]",
        b"[]",
        b"{}",
        b'[1,{"kind":"prediction"}]',
        b'[1,{"kind":"strange"}]',
        b"[1," + b"[" * 100_000,
        json.dumps([1, {"kind": "not_logged", "use_case": "inbox", "rows": 2**70, "at_us": 1}]).encode(),
        b"\xff\xfe",
    ],
    ids=["zeros", "no kind", "empty", "object", "no fields", "strange kind", "nested", "huge", "no UTF-8"],
)
def test_a_damaged_line_holds_up_nothing(line: bytes, log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    (segment,) = segments(folder)
    with segment.open("ab") as file:
        file.write(line + b"\n")
    spool._bytes += len(line) + 1
    spool.append([row(2)])
    spool.close()
    assert move_spools(log, folder) == Moved(rows=2, torn=1)
    assert requests(log) == ["r1", "r2"]


def test_what_no_database_takes_is_replaced(log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1, text="a\0b \ud800", metadata={"k\0": "\\u0000 \0"}, confidence=float("nan"), usd=None)])
    spool.close()
    assert move_spools(log, folder) == Moved(rows=1)
    (found,) = log.rows("inbox")
    assert (found["text"], found["confidence"], found["usd"]) == ("a\ufffdb ?", None, None)
    assert found["metadata"] == {"k\0": "\\u0000 \0"}


def test_a_line_longer_than_a_chunk_is_moved_whole(log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1), *(row(1, row=number) for number in range(1, 50))])
    spool.append([row(2)])
    assert move_spools(log, folder, chunk_bytes=256) == Moved(rows=51)


def test_rows_not_logged_and_feedback_come_along(log: PredictionLog, folder: Path) -> None:
    spool = Spool(folder, clock=lambda: NOON_US / 1e6)
    (folder.parent / "spool").write_text("in the way")
    assert not spool.append([row(1), row(2)])
    (folder.parent / "spool").unlink()
    assert spool.append_feedback(LoggedFeedback(NOON_US, "inbox", "refund", "Ana", request_id="r1", row=1))
    assert move_spools(log, folder) == Moved(feedback=1, not_logged=2)
    assert counts(log, folder, "inbox") == LogCounts(not_logged=2)
    assert log.not_logged("inbox") == {20_000: 2}
    (sent,) = log.feedback("inbox")
    assert (sent.request_id, sent.row, sent.label, sent.who) == ("r1", 1, "refund", "Ana")
    log.feedback_taken([sent.id])
    assert log.feedback("inbox") == []


def test_a_second_writer_is_sent_away(log: PredictionLog, url: str, folder: Path) -> None:
    Spool(folder).append([row(1)])

    class Second(PredictionLog):
        def moved_bytes(self, segment: str) -> int:
            with pytest.raises(BusyError, match="another writer"):
                move_spools(log, folder)
            return super().moved_bytes(segment)

    second = Second(url)
    assert move_spools(second, folder).rows == 1
    second.close()


def test_a_segment_that_another_writer_moved_meanwhile_is_left(log: PredictionLog, url: str, folder: Path) -> None:
    """As with a spool on a disk where locks do not work."""
    Spool(folder).append([row(1)])

    class Late(PredictionLog):
        def moved_bytes(self, segment: str) -> int:
            return super().moved_bytes(segment) if requests(log) else 0

        def take(self, segment: str, start: int, *rest: Any) -> bool:
            log.take(segment, start, *rest)
            return super().take(segment, start, *rest)

    late = Late(url)
    assert move_spools(late, folder) == Moved()
    assert requests(log) == ["r1"]
    late.close()


class Rounds:
    """Ends after so many passes; notes how long each pause was to be."""

    def __init__(self, most: int) -> None:
        self.most, self.pauses = most, list[float]()

    def is_set(self) -> bool:
        return len(self.pauses) >= self.most

    def wait(self, timeout: float) -> bool:
        self.pauses.append(timeout)
        return self.is_set()


def test_a_store_that_is_away_is_asked_again_ever_later_and_loses_nothing(url: str, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    answers: list[Exception | None] = [ServiceError("away")] * 8 + [None]
    heard: list[Moved | TailTuneError] = []

    def open_log() -> PredictionLog:
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return PredictionLog(url)

    rounds = Rounds(10)
    keep_moving(open_log, folder, rounds, report=heard.append)
    assert rounds.pauses == [2, 4, 8, 16, 32, 60, 60, 60, 1, 1]
    assert [str(each) for each in heard[:8]] == ["away"] * 8
    assert heard[8:] == [Moved(rows=1), Moved(), Moved()]


def keep_an_hour(url: str, folder: Path, set_by_s: Sequence[float], start_s: float) -> None:
    """Move spools four times in an hour and a half, by a clock that somebody has set by so much at each time."""
    passes = Rounds(3)

    def steady() -> float:
        return 1800.0 * len(passes.pauses)

    keep_moving(
        lambda: PredictionLog(url),
        folder,
        passes,
        keep_days={"inbox": 30},
        clock=lambda: start_s + steady() + set_by_s[len(passes.pauses)],
        steady=steady,
    )


def test_old_rows_are_deleted_once_a_day(url: str, folder: Path) -> None:
    now = (NOON_US + 40 * DAY_US) / 1e6
    spool = Spool(folder)
    spool.append([row(1), row(2, at_us=NOON_US + 20 * DAY_US), row(3, use_case="other")])
    keep_an_hour(url, folder, [0, 0, 0, 0], now)
    log = PredictionLog(url)
    assert requests(log) == ["r2"]
    assert counts(log, folder, "inbox") == LogCounts(stored=2), "deleted by age is no loss"
    assert len(list(log.rows("other"))) == 1
    log.close()


@pytest.mark.parametrize("set_by_days", [[400, 0, 0, 0], [0, 0, 400, 400], [-400, -400, 0, 0]])
def test_a_clock_that_was_set_within_the_hour_deletes_nothing(url: str, folder: Path, set_by_days: list[float]) -> None:
    Spool(folder).append([row(1)])
    keep_an_hour(url, folder, [each * 86_400 for each in set_by_days], NOON_US / 1e6)
    log = PredictionLog(url)
    assert requests(log) == ["r1"]
    log.close()


WORKER = """
import sys
from pathlib import Path
from tailtune.services.prediction_log import LoggedPrediction, Spool
spool = Spool(Path(sys.argv[1]), most_segment_bytes=20_000)
print("ready", flush=True)
number = 0
while True:
    number += 1
    assert spool.append([LoggedPrediction(number, "inbox", "3", "model", f"r{number}", 1.5, text="x" * 400)])
    print(number, flush=True)
"""


def test_a_worker_killed_at_any_moment_loses_nothing_that_it_answered(log: PredictionLog, folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        answered = 0
        for line in worker.stdout:
            if line.strip() == "200":
                move_spools(log, folder)
            if line.strip() == "400":
                worker.send_signal(signal.SIGKILL)
                break
        answered = max([400, *(int(line) for line in worker.stdout if line.endswith("\n"))])
    move_spools(log, folder)
    found = [request.removeprefix("r") for request in requests(log)]
    assert answered <= len(found) <= answered + 1
    assert found == [str(number + 1) for number in range(len(found))]
    assert segments(folder) == []
