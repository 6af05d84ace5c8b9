"""The spool: a request is in it whole or not at all, for its owner's eyes, whatever the disk does."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tailtune.services.prediction_log import LoggedFeedback, Spool, kept_text
from tailtune.services.prediction_log.lines import answered_in

from .rows import row, segments


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def no_file_above(most_bytes: int) -> Iterator[None]:
    """The system writes what fits into so many bytes of a file and refuses the rest, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> list[list[Any]]:
    return [json.loads(line) for segment in segments(folder) for line in segment.read_text().splitlines()]


def test_a_request_is_one_line_with_its_rows(folder: Path) -> None:
    spool = Spool(folder)
    assert spool.append([row(1), row(2, text="ümlaut \ud800", embedding=b"\0\x3c", likeliest=(("billing", 0.9),))])
    assert spool.append([])
    ((answered, first, second),) = contents(folder)
    assert (answered, first["request_id"], second["likeliest"]) == (2, "r1", [["billing", 0.9]])
    assert second["text"] == "ümlaut ?"
    assert (spool.logged, spool.not_logged) == (2, 0)


def test_only_its_owner_may_read_it(folder: Path) -> None:
    Spool(folder).append([row()])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [segment.stat().st_mode & 0o777 for segment in segments(folder)] == [0o600]


def test_a_larger_or_older_segment_is_finished(folder: Path) -> None:
    clock = Clock()
    spool = Spool(folder, most_segment_bytes=1000, most_segment_s=60, clock=clock)
    spool.append([row(1)])
    spool.append([row(2)])
    assert len(segments(folder)) == 1
    spool.append([row(3)])
    assert len(segments(folder)) == 2
    clock.now += 61
    spool.append([row(4)])
    assert len(segments(folder)) == 3
    assert sorted(line[1]["request_id"] for line in contents(folder)) == ["r1", "r2", "r3", "r4"]
    spool.append([row(text="x" * 5000)])  # longer than a segment: one of its own
    assert len(segments(folder)) == 4


def test_workers_write_apart(folder: Path) -> None:
    workers = [Spool(folder), Spool(folder)]
    for number in range(6):
        workers[number % 2].append([row(number)])
    assert [len(segment.read_text().splitlines()) for segment in segments(folder)] == [3, 3]


def test_a_fork_of_a_worker_begins_its_own_segment(folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    if (child := os.fork()) == 0:
        spool.append([row(2)])
        os._exit(0)
    os.waitpid(child, 0)
    spool.append([row(3)])
    assert sorted([line["request_id"] for line in lines] for lines in by_segment(folder)) == [["r1", "r3"], ["r2"]]


def by_segment(folder: Path) -> list[list[dict[str, Any]]]:
    return [[json.loads(line)[1] for line in segment.read_text().splitlines()] for segment in segments(folder)]


def test_a_full_disk_takes_nothing_half_and_is_noted_later(folder: Path) -> None:
    spool = Spool(folder)
    assert spool.append([row(1)])
    (segment,) = segments(folder)
    whole = segment.read_bytes()
    with no_file_above(len(whole) + 100):
        assert not spool.append([row(2), row(3)])
        assert not spool.append([row(4, use_case="other")])
    assert segment.read_bytes() == whole
    assert (spool.logged, spool.not_logged) == (1, 3)
    assert spool.append([row(5)])
    notes = [(note["use_case"], note["rows"]) for note in contents(folder)[-1][1:-1]]
    assert notes == [("inbox", 2), ("other", 1)]
    assert contents(folder)[-1][0] == 1, "notes are no answered rows"
    spool.append([row(6)])
    assert len(contents(folder)[-1]) == 2, "noted once"


def test_what_was_not_logged_is_noted_when_the_worker_ends(folder: Path) -> None:
    spool = Spool(folder)
    with no_file_above(0):
        assert not spool.append([row(1)])
    spool.close()
    assert [note["rows"] for note in contents(folder)[0][1:]] == [1]


def test_a_folder_that_cannot_be_made_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool")
    assert not spool.append([row(1)])
    assert not spool.append_feedback(LoggedFeedback(1, "inbox", "refund", "Ana", text="a text"))
    assert (spool.logged, spool.not_logged) == (0, 1)


def test_a_folder_that_somebody_emptied_is_filled_again(folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    for segment in segments(folder):
        segment.unlink()
    folder.rmdir()
    assert spool.append([row(2)])
    assert [line[1]["request_id"] for line in contents(folder)] == ["r2"]


def test_what_json_does_not_know_is_not_logged(folder: Path) -> None:
    spool = Spool(folder)
    assert not spool.append([row(1, metadata={"at": object()})])
    assert spool.append([row(2)])


def test_a_spool_that_nobody_moves_stops_growing(folder: Path) -> None:
    clock = Clock()
    spool = Spool(folder, most_segment_bytes=600, most_bytes=500, clock=clock)
    logged = [spool.append([row(number)]) for number in range(6)]
    assert logged == [True, True, False, False, False, False]
    segments(folder)[0].unlink()
    assert not spool.append([row(7)]), "it looks once a second"
    clock.now += 1.5
    assert spool.append([row(8)])


def test_the_segment_of_a_worker_is_locked_until_it_ends(folder: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from tailtune.services.prediction_log import LoggedPrediction, Spool\n"
        "spool = Spool(Path(sys.argv[1]))\n"
        "spool.append([LoggedPrediction(1, 'inbox', '3', 'model', 'r1', 1.5)])\n"
        "print(sorted(name for name in sys.modules if name in ('sqlalchemy', 'numpy', 'pandas', 'torch', 'mlflow')))\n"
        "sys.stdout.flush()\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "[]\n", "a worker loads no database and nothing heavy"
        (segment,) = segments(folder)
        with segment.open() as file:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            worker.kill()
            worker.wait()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert [line[1]["request_id"] for line in contents(folder)] == ["r1"]


def test_rows_of_a_line_are_counted_without_reading_it() -> None:
    assert [answered_in(line) for line in (b"[2,{}]\n", b"[0]\n", b"[12]\n", b"{}\n", b"\0\0\n", b"")] == [
        2,
        0,
        12,
        0,
        0,
        0,
    ]


def test_of_a_text_only_what_is_configured_is_kept() -> None:
    assert kept_text("pay me", "none") == (None, None)
    text, digest = kept_text("pay me", "scrubbed")
    assert (text, digest) == ("pay me", kept_text("pay me", "hash")[1])
    assert kept_text("pay me", "hash")[0] is None
    assert kept_text("pay him", "hash") != kept_text("pay me", "hash")
