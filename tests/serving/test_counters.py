"""Counts are kept in files: added up over processes, and not lost with one that is killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tailtune.core.errors import TailTuneError
from tailtune.serving.counters import Counters

WORKER = """
import os, signal, sys
from pathlib import Path
from tailtune.serving.counters import Counters
counters = Counters(Path(sys.argv[1]))
counters.answered.labels("model", "3").inc(5)
counters.logged.inc(5)
counters.waiting.set(7)
print("counted", flush=True)
signal.pause()
"""


def values(counters: Counters) -> dict[str, float]:
    lines = [line for line in counters.text().decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_killed_process_loses_no_count(tmp_path: Path) -> None:
    own = Counters(tmp_path / "metrics")
    own.stored.inc(3)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "metrics")], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None and worker.stdout.readline() == "counted\n"
    assert values(own)["tailtune_waiting_rows"] == 7
    worker.kill()
    worker.communicate()
    own.forget(worker.pid)
    found = values(own)
    assert found['tailtune_answered_rows_total{route="model",version="3"}'] == 5
    assert (found["tailtune_spooled_rows"], found.get("tailtune_waiting_rows", 0)) == (2, 0)


def test_two_sets_of_counts_are_apart_though_one_process_keeps_them(tmp_path: Path) -> None:
    first, second = Counters(tmp_path / "1"), Counters(tmp_path / "2")
    first.logged.inc()
    assert (values(first)["tailtune_logged_rows_total"], values(second)["tailtune_logged_rows_total"]) == (1, 0)


def test_room_on_the_disk_is_taken_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Counters(tmp_path)
    files = list(tmp_path.glob(f"*_{os.getpid()}.db"))
    assert {file.name.partition("_")[0] for file in files} == {"counter", "gauge", "histogram"}
    assert all(file.stat().st_blocks * 512 >= file.stat().st_size for file in files)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(TailTuneError, match="No space left"):
        Counters(tmp_path / "more")
