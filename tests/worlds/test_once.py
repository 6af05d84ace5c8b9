"""A world is built once a run, whoever needs it first."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worlds.once import once

KEEPER = Path(__file__).with_name("keeper.py")


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A world that no other test has."""
    return tmp_path.name


def test_a_world_is_built_once(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        folder.mkdir()

    assert once(tmp_path_factory, name, build) == once(tmp_path_factory, name, build) == built[0]
    assert len(built) == 1


def test_a_build_that_failed_is_tried_again_from_nothing(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").mkdir(parents=True)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        once(tmp_path_factory, name, fail)
    assert list(once(tmp_path_factory, name, Path.mkdir).iterdir()) == []


def test_workers_wait_for_the_one_that_builds(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    began = tmp_path_factory.getbasetemp() / f"{name}-began"
    other = os.fork()
    if not other:

        def slowly(folder: Path) -> None:
            began.touch()
            time.sleep(0.5)
            folder.mkdir()

        once(tmp_path_factory, name, slowly)
        os._exit(0)
    while not began.exists():
        time.sleep(0.01)
    once(tmp_path_factory, name, lambda folder: pytest.fail("built twice"))
    assert os.waitpid(other, 0) == (other, 0)


def test_a_server_ends_with_the_run_that_needed_it() -> None:
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    words = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    kept = [sys.executable, str(KEEPER), str(run.pid), *words]
    with subprocess.Popen(kept, stdout=subprocess.PIPE, start_new_session=True) as keeper:
        assert keeper.stdout is not None and keeper.stdout.readline() == b"up\n"
        run.kill()
        run.wait()
        assert keeper.stdout.read() == b"", "whoever writes there has gone"
