"""SIGTERM is Ctrl-C: what handles one handles the other, in every process of a run."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tailtune.core import process
from tailtune.lifecycle import alone

_STAGE = """
import sys, time
from tailtune.core.process import end_in_order_at_sigterm, interrupted_code, leave_with, LEAVING_S
end_in_order_at_sigterm()
try:
    {more}
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt as interrupt:
    print("ended in order", flush=True)
    sys.exit(interrupted_code(interrupt))
"""
_PARENT = """
import sys
from pathlib import Path
from tailtune.core.process import end_in_order_at_sigterm, interrupted_code
from tailtune.lifecycle.local_server import run_to_end
end_in_order_at_sigterm()
try:
    run_to_end([sys.executable, "-c", sys.argv[1]], Path("."))
except KeyboardInterrupt as interrupt:
    sys.exit(interrupted_code(interrupt))
"""
_KILLED_PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]]).wait()
"""


def begun(*words: str) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stage_ends_in_order(number: signal.Signals, code: int) -> None:
    started = begun(_STAGE.format(more="pass"))
    started.send_signal(number)
    assert started.communicate(timeout=20)[0] == "ended in order\n"
    assert started.returncode == code


def test_a_run_hands_sigterm_on_and_waits_for_its_stage() -> None:
    started = begun(_PARENT, _STAGE.format(more="pass"))
    started.terminate()
    assert started.communicate(timeout=20)[0] == "ended in order\n"
    assert started.returncode == 143


def test_a_stage_whose_parent_was_killed_ends_in_order() -> None:
    watching = "import os; leave_with(os.getppid(), LEAVING_S)"
    started = begun(_KILLED_PARENT, _STAGE.format(more=watching))
    started.kill()
    assert started.communicate(timeout=20)[0] == "ended in order\n"


@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_while_a_command_is_imported_ends_it_without_a_traceback(signal_: int, code: int) -> None:
    """A module that is imported with the command sends it."""
    program = f"""
import os, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "tailtune.cli.app":
            os.kill(os.getpid(), {int(signal_)})
sys.meta_path.insert(0, Interrupting())
from tailtune.cli import main
sys.exit(main(["list"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert "interrupted; the same command goes on from here" in done.stderr


def test_the_code_is_that_of_the_signal_that_led_to_the_error() -> None:
    try:
        try:
            raise process.Terminated
        except KeyboardInterrupt:
            sys.exit(130)
    except SystemExit as end:
        assert process.interrupted_code(end) == 143
    assert process.interrupted_code(KeyboardInterrupt()) == 130


@pytest.mark.parametrize("parent", [os.getpid(), 1], ids=["its parent lives", "its parent has died"])
def test_only_an_orphan_that_is_leaving_is_waited_for(
    tmp_path: Path, parent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "LEAVING_S", -0.8)
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = tmp_path / ".lock"
    path.write_text(f"process {holder.pid} (train, since 10:00:00)\nstarted by {parent}", encoding="utf-8")
    with path.open("a+") as holding, path.open("a+") as lock:
        fcntl.flock(holding, fcntl.LOCK_EX)
        began = time.monotonic()
        assert alone._is_taken(lock)
        assert (time.monotonic() - began > 0.15) == (parent == 1)
    holder.communicate(b"\n")
