"""Ctrl-C in a real terminal: the child gets the time it needs to clean up, and a second one ends the patience."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli.checkout import checkout, environment

from tailtune.config.paths import Paths

FLOW = """
import pathlib, sys, time
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    {clean_up}
    pathlib.Path("cleaned").touch()
    sys.exit(130)
"""
SLOW, ENDLESS = "time.sleep(1.5)", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"


@dataclass
class Terminal:
    """A process in a terminal of its own, and what it wrote there."""

    process: subprocess.Popen[bytes]
    keyboard: int
    written: str = ""

    def wait_for(self, words: str) -> None:
        while words not in self.written:
            more = os.read(self.keyboard, 4096).decode()
            assert more, self.written
            self.written += more

    def ctrl_c(self) -> None:
        os.write(self.keyboard, b"\x03")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    return checkout(tmp_path / "checkout")


@contextmanager
def run(paths: Paths, clean_up: str) -> Iterator[Terminal]:
    """`tailtune run first` in a terminal, until its flow is at work."""
    flow = paths.root / "flows" / "lifecycle.py"
    flow.parent.mkdir()
    flow.write_text(FLOW.format(clean_up=clean_up), encoding="utf-8")
    keyboard, screen = pty.openpty()
    words = [sys.executable, "-c", TERMINAL, sys.executable, "-m", "tailtune", "run", "first"]
    process = subprocess.Popen(words, stdin=screen, stdout=screen, stderr=screen, start_new_session=True)
    os.close(screen)
    terminal = Terminal(process, keyboard)
    try:
        terminal.wait_for("at work")
        yield terminal
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the one of the new session, so that Ctrl-C goes to the whole group, then becomes the command.

A shell starts background jobs with SIGINT ignored, and a test run may be one: the command must not inherit that."""


def test_the_flow_cleans_up_for_as_long_as_it_needs(paths: Paths) -> None:
    with run(paths, SLOW) as terminal:
        began = time.monotonic()
        terminal.ctrl_c()
        terminal.wait_for("ending the run; Ctrl-C again kills it")
        terminal.wait_for("interrupted; the same command goes on from here")
        assert terminal.process.wait(timeout=20) == 130
        assert time.monotonic() - began >= 1.4
    assert (paths.root / "cleaned").exists()
    assert "Traceback" not in terminal.written


def test_a_second_ctrl_c_kills_what_does_not_end(paths: Paths) -> None:
    with run(paths, ENDLESS) as terminal:
        terminal.ctrl_c()
        terminal.wait_for("ending the run; Ctrl-C again kills it")
        terminal.ctrl_c()
        terminal.wait_for("interrupted; the same command goes on from here")
        assert terminal.process.wait(timeout=20) == 130
    assert not (paths.root / "cleaned").exists()
