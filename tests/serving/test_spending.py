"""The day's limit holds over processes, restarts, torn files and full disks."""

from __future__ import annotations

import errno
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tailtune.serving import spending
from tailtune.serving.spending import DailySpending

TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spending.json"


def test_what_a_request_cost_takes_the_place_of_what_it_may_cost(file: Path) -> None:
    day = DailySpending(file, 1.0)
    first = day.reserve(0.6)
    assert first and not day.reserve(0.6)
    day.settle(first, 0.1)
    assert day.spent == pytest.approx(0.1)
    second = day.reserve(0.6)
    assert second
    day.settle(second, None)
    assert DailySpending(file, 1.0).spent == pytest.approx(0.7), "an unknown price is taken to be the whole"


def test_a_new_day_begins_at_nothing_and_is_not_paid_for_the_old_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = DailySpending(file, 1.0)
    late = day.reserve(0.9)

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2999, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(spending, "datetime", Tomorrow)
    assert day.spent == 0
    assert day.reserve(0.5)
    assert late
    day.settle(late, 0.2)
    assert day.spent == 0.5


@pytest.mark.parametrize(
    "torn", ["{", "[]", f'{{"day": "{TODAY}"}}', f'{{"day": "{TODAY}", "usd": NaN}}', '{"usd": "x"}x']
)
def test_a_torn_file_lets_nothing_be_spent(torn: str, file: Path) -> None:
    day = DailySpending(file, 1.0)
    file.write_text(torn)
    assert day.reserve(0.01) is None


def test_a_shorter_sum_leaves_nothing_of_a_longer_one(file: Path) -> None:
    day = DailySpending(file, 1.0)
    first = day.reserve(0.123456789)
    assert first
    day.settle(first, 0.5)
    assert day.spent == 0.5


def test_a_lost_file_is_made_again(file: Path) -> None:
    day = DailySpending(file, 1.0)
    file.unlink()
    assert day.reserve(0.5)
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_noted_is_not_spent(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = DailySpending(file, 1.0)
    first = day.reserve(0.5)
    assert first

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spending.os, "pwrite", full)
    assert day.reserve(0.1) is None
    day.settle(first, 0.1)
    monkeypatch.undo()
    assert day.spent == 0.5


def test_two_processes_never_pass_the_limit_together(file: Path) -> None:
    script = """
import sys
from pathlib import Path
from tailtune.serving.spending import DailySpending
day = DailySpending(Path(sys.argv[1]), 1.0)
print(sum(day.reserve(0.01) is not None for _ in range(200)))
"""
    words = [sys.executable, "-c", script, str(file)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert 99 <= sum(int(each.communicate()[0]) for each in running) <= 100
    assert DailySpending(file, 1.0).spent <= 1.0 + 1e-9


def test_a_clock_set_forth_and_back_opens_no_day_twice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [2026, 2027, 2001, 2099, 2026]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(days[0], 3, 1, tzinfo=UTC)

    monkeypatch.setattr(spending, "datetime", Clock)
    day = DailySpending(file, 1.0)
    while len(days) > 1:
        assert day.reserve(0.9) and not day.reserve(0.9)
        days.pop(0)
    assert day.spent == 0.9 and not day.reserve(0.9)


def test_a_file_of_an_earlier_version_counts(file: Path) -> None:
    file.write_text(f'{{"day": "{TODAY}", "usd": 0.9}}')
    assert DailySpending(file, 1.0).spent == 0.9
