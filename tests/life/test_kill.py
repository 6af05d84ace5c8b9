"""kill -9 in the middle of any stage, and two runs at once: nothing torn, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from life.checkout import NAME, Checkout
from tailtune.core.reports import REPORTS
from tailtune.lifecycle.table import STAGES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout.make(tmp_path_factory.mktemp("kill") / "checkout")
    made.spec(train={"epochs": 12, "patience": 100, "checkpoint_s": 0.2, "when": "always"})
    return made


def wait_for(what: object, started: subprocess.Popen[str], seconds: float = 120) -> None:
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert started.poll() is None, f"ended early:\n{started.communicate()[0][-3000:]}"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_a_killed_stage_leaves_nothing_torn_and_runs_again(checkout: Checkout, stage: str) -> None:
    """The stages before are fresh by then: each test leaves its own stage done."""
    lock, began = checkout.build / ".lock", time.time()
    started = checkout.start("tailtune", stage, NAME)
    wait_for(lambda: lock.is_file() and lock.stat().st_mtime >= began and f"({stage}," in lock.read_text(), started)
    if stage == "train":
        wait_for(lambda: any((checkout.build / "checkpoints").rglob("*.safetensors")), started)
        time.sleep(1.0)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert not (checkout.reports / f"{stage}.json").exists()
    for path in checkout.reports.glob("*.json"):
        REPORTS[path.stem].model_validate_json(path.read_text(encoding="utf-8"))
    checkout.ok("tailtune", stage, NAME)
    if stage == "train":
        assert checkout.report("train")["resumed_from_step"] > 0
    if stage == "register":
        assert checkout.report("register")["version"] == "1"


def test_a_killed_run_goes_on_and_no_orphan_writes(checkout: Checkout) -> None:
    checkout.spec(train={"seed": 5})
    started = checkout.start("tailtune", "run", NAME)
    wait_for(lambda: any((checkout.build / "checkpoints").rglob("*.safetensors")), started, 240)
    os.kill(started.pid, signal.SIGKILL)
    started.communicate(timeout=60)  # returns when the last process that writes to the terminal has gone
    assert not _busy(checkout)
    done = checkout.run("tailtune", "run", NAME, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.report("register")["aliases"]
    versions = _versions(checkout)
    assert versions and all(version["status"] == "READY" and version["tags"] > 5 for version in versions)


def test_two_runs_at_once_end_in_a_clear_error(checkout: Checkout) -> None:
    first = checkout.start("tailtune", "train", NAME)
    lock = checkout.build / ".lock"
    wait_for(lambda: f"process {first.pid} (train" in lock.read_text(), first)
    second = checkout.run("tailtune", "evaluate", NAME)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.returncode == 1
    assert f"{NAME} is in use by process {first.pid} (train" in second.stderr and "Next:" in second.stderr


def _busy(checkout: Checkout) -> str:
    """Who holds the use case, as `tailtune show` cannot tell: try the lock."""
    import fcntl

    with (checkout.build / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return lock.read()
    return ""


def _versions(checkout: Checkout) -> list[dict[str, object]]:
    script = (
        "import json; from tailtune.config.settings import quiet_environment; quiet_environment()\n"
        "from mlflow import MlflowClient\n"
        "c = MlflowClient('sqlite:///mlflow/store/mlflow.db', 'sqlite:///mlflow/store/mlflow.db')\n"
        f"found = c.search_model_versions(\"name='{NAME}'\")\n"
        "print(json.dumps([dict(status=v.status, tags=len(v.tags)) for v in found]))"
    )
    found: list[dict[str, object]] = json.loads(checkout.ok("python", "-c", script).splitlines()[-1])
    return found


def test_no_disk_space_for_the_model_is_told_and_nothing_half_written_stays(checkout: Checkout) -> None:
    """A file-size limit makes the kernel refuse the write, as a full disk does."""
    checkout.spec(train={"rank": 128, "epochs": 1, "seed": 6})
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000));"
        f"sys.argv = ['tailtune', 'train', '{NAME}']; runpy.run_module('tailtune', run_name='__main__')"
    )
    done = checkout.run("python", "-c", script)
    assert done.returncode == 1, done.stderr
    assert "could not be written" in done.stderr and "Next:" in done.stderr and "Traceback" not in done.stderr
    assert not list((checkout.build / "train").glob("*.partial"))
    checkout.ok("tailtune", "train", NAME)
