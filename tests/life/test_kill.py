"""A stage or a run that dies at any moment leaves nothing torn, and goes on; two at once do not meet."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NoReturn

import pytest
from worlds import lives
from worlds.checkout import NAME, Checkout

from tailtune.core.reports import REPORTS
from tailtune.lifecycle.table import STAGES
from tailtune.services import store

pytestmark = pytest.mark.slow
NAMES = [stage.name for stage in STAGES]
DYING = ("curate", "evaluate")
"""Every stage ends through the same runner, so one that writes rows and one that reads a model's stand for all."""
KILLED = ("ladder", "train", "register")
"""One stage of each kind ends by a real SIGKILL: one that measures, one with checkpoints, one that writes to MLflow."""


class Killed(BaseException):
    """Ends a stage as SIGKILL does: nobody catches it."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of a finished life; every test leaves its own stages done."""
    lived, _ = lives.classification(tmp_path_factory)
    made = lived.copy(tmp_path_factory.mktemp("kill") / "checkout")
    made.spec(train={"epochs": 6, "patience": 100, "checkpoint_s": 0.1, "when": "always"})
    made.does("decide", NAME)
    return made


@pytest.fixture
def mine(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Checkout:
    """A copy of a finished life of its own."""
    return lives.classification(tmp_path_factory)[0].copy(tmp_path / "checkout")


def wait_for(what: object, started: subprocess.Popen[str], seconds: float = 240) -> None:
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert started.poll() is None, f"ended early:\n{started.communicate()[0][-3000:]}"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def has_checkpoint(checkout: Checkout) -> bool:
    """Whether there is a whole one; `.partial` is being written."""
    return any(path.suffix != ".partial" for path in (checkout.build / "checkpoints").glob("step-*"))


def kill(started: subprocess.Popen[str]) -> None:
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


def nothing_is_torn(checkout: Checkout, stage: str) -> None:
    """The stage that died has no report, and the others can be read."""
    assert not (checkout.reports / f"{stage}.json").exists()
    for path in checkout.reports.glob("*.json"):
        REPORTS[path.stem].model_validate_json(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", DYING)
def test_a_stage_that_dies_before_its_report_runs_again(
    checkout: Checkout, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> NoReturn:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(store, "write_report", die)
        checkout.inside(stage, NAME)
    nothing_is_torn(checkout, stage)
    checkout.does(stage, NAME)
    assert (checkout.reports / f"{stage}.json").is_file()


@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_stage_leaves_nothing_torn_and_runs_again(checkout: Checkout, stage: str, tmp_path: Path) -> None:
    if stage == "register":
        checkout = checkout.copy(tmp_path / "checkout")
        shutil.rmtree(checkout.root / "mlflow" / "store")  # so that there is something to register
    started = begun(checkout, stage)
    if stage == "train":
        wait_for(lambda: has_checkpoint(checkout), started)
    wait_for(lambda: not (checkout.reports / f"{stage}.json").exists(), started)
    kill(started)
    nothing_is_torn(checkout, stage)
    checkout.does(stage, NAME)
    if stage == "train":
        assert checkout.report("train")["resumed_from_step"] > 0
    if stage == "register":
        assert checkout.report("register")["version"] == "1"
        assert whole_versions(checkout) == ["1"]


def begun(checkout: Checkout, stage: str) -> subprocess.Popen[str]:
    """A stage in a process of its own that holds the use case."""
    lock, began = checkout.build / ".lock", time.time()
    started = checkout.start("tailtune", stage, NAME)
    wait_for(lambda: lock.stat().st_mtime >= began and f"{started.pid} ({stage}," in lock.read_text(), started)
    return started


@pytest.mark.servers
def test_a_killed_run_goes_on_and_no_orphan_writes(mine: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = mine.stamps(NAMES)
    mine.spec(train={"seed": 5, "epochs": 4, "patience": 100, "checkpoint_s": 0.1, "when": "always"})
    started = mine.start("tailtune", "run", NAME)
    wait_for(lambda: has_checkpoint(mine), started)
    os.kill(started.pid, signal.SIGKILL)
    started.communicate(timeout=60)  # returns when the last process that writes to the terminal has gone
    assert not _busy(mine)
    done = mine.served(tmp_path_factory).run("tailtune", "run", NAME, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    after = mine.stamps(NAMES)
    assert {name for name in NAMES if after[name] == before[name]} == {
        "curate",
        "validate",
        "ladder",
        "prompt",
        "diagnose",
    }
    assert mine.report("train")["resumed_from_step"] > 0
    assert mine.report("register")["aliases"]
    assert whole_versions(mine)


def test_two_at_once_end_in_a_clear_error(checkout: Checkout) -> None:
    first = begun(checkout, "train")
    second = checkout.inside("evaluate", NAME)
    kill(first)
    checkout.does("train", NAME)
    assert second.code == 1
    assert (
        f"{NAME}: another run is at work on it, process {first.pid} (tailtune train" in second.err
        and "Next:" in second.err
    )


def test_no_disk_space_for_the_model_is_told_and_nothing_half_written_stays(mine: Checkout) -> None:
    """A file-size limit makes the kernel refuse the write, as a full disk does."""
    mine.spec(train={"rank": 128, "epochs": 1, "seed": 6})
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000));"
        f"sys.argv = ['tailtune', 'train', '{NAME}']; runpy.run_module('tailtune', run_name='__main__')"
    )
    done = mine.run("python", "-c", script)
    assert done.returncode == 1, done.stderr
    assert "could not be written" in done.stderr and "Next:" in done.stderr and "Traceback" not in done.stderr
    assert not list((mine.build / "train").glob("*.partial"))
    mine.does("train", NAME)


def _busy(checkout: Checkout) -> str:
    """Who holds the use case, as `tailtune show` cannot tell: try the lock."""
    with (checkout.build / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return lock.read()
    return ""


def whole_versions(checkout: Checkout) -> list[str]:
    """Versions in the checkout's own registry, none of them half made."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{checkout.root / 'mlflow' / 'store' / 'mlflow.db'}"
    found = MlflowClient(uri, uri).search_model_versions(f"name='{NAME}'")
    assert found and all(version.status == "READY" and len(version.tags) > 5 for version in found)
    return [str(version.version) for version in found]
