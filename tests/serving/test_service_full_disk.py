"""A disk that is really full: a small file system of the test's own, in a mount namespace of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from house.tree import ROOT

from serving.fake import FakeAnswerer, Server, check_sums, server
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import counts, move_spools

_MOUNT = 'mount -t tmpfs -o size=512k tmpfs "$1" && exec "$2" -m serving.test_service_full_disk "$1" "$3"'


def _within(*words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))
    command = ["unshare", "--map-root-user", "--mount", *words]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def _may_mount(folder: Path) -> bool:
    try:
        return _within("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)).returncode == 0
    except OSError:
        return False


def test_a_server_answers_on_while_its_disk_is_full_and_logs_again_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _may_mount(disk):
        pytest.skip("no file system may be mounted here (unshare, mount)")
    done = _within("sh", "-c", _MOUNT, "sh", str(disk), sys.executable, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]


async def _scenario(made: Server, disk: Path) -> None:
    for number in range(60):
        back = await made.ask("/predict", {"rows": [{"text": f"{number} {'x' * 1000} billing"}] * 5})
        assert back.status == 200
    full = made.counts()
    check_sums(full)
    assert full["answered_rows"] == 300 and 0 < full["logged_rows"] < 300 and full["not_logged_rows"] > 0
    feedback = await made.ask("/feedback", {"text": "a" * 20_000, "label": "billing", "who": "ada"})
    assert (feedback.status, feedback.code) == (503, "not_kept")
    (disk / "ballast").unlink()
    assert (await made.ask("/predict", {"text": "b billing"})).status == 200
    check_sums(made.counts())
    assert made.counts()["not_logged_rows"] == full["not_logged_rows"], "there is room again"


def main(disk: Path, elsewhere: Path) -> None:
    """Fill the disk, serve, and move what was spooled: every answered row is somewhere, once."""
    with suppress(OSError), (disk / "ballast").open("wb") as ballast:
        for _ in range(40):
            ballast.write(bytes(8192))

    async def play() -> dict[str, float]:
        async with server(elsewhere, FakeAnswerer(), spool=disk / "spool") as made:
            await _scenario(made, disk)
            return made.counts()

    served = asyncio.run(play())
    log = PredictionLog(f"sqlite:///{elsewhere}/log.db")
    move_spools(log, disk / "spool")
    found = counts(log, disk / "spool", "inbox")
    assert found.torn == found.spooled == 0
    assert (found.stored, found.not_logged) == (served["logged_rows"], served["not_logged_rows"])
    log.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
