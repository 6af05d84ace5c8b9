"""How work shows that it goes on: in a pipe, in a terminal, when it fails, and how long it thinks it needs."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from tailtune.core.progress import Progress
from tailtune.report.terminal.progress import ConsoleProgress, Mode, TimeLeft

SCRIPT = """
import time
from tailtune.report.terminal.progress import ConsoleProgress
with ConsoleProgress("ladder", "Measure every rung.") as progress:
    for done in range(6):
        progress.at(done, 6, "probe [row 1]")
        time.sleep(0.1)
    progress.say("tfidf 86.4 %")
    print("a result")
"""


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def piped(mode: Mode = "auto", clock: Clock | None = None) -> tuple[ConsoleProgress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=40, force_terminal=False)
    return ConsoleProgress("ladder", "Measure.", mode, console, clock or Clock()), out


def test_it_is_a_progress() -> None:
    progress: Progress = piped()[0]
    progress.say("works without being entered")


def test_a_pipe_gets_header_kept_lines_and_one_passing_line_in_five_seconds() -> None:
    clock = Clock()
    progress, out = piped(clock=clock)
    with progress:
        for done in range(120):
            progress.at(done, 120, "a probe with a name too long for forty columns")
            clock.now += 0.125
            if done == 20:
                progress.say("tfidf [86.4 %]")
    lines = out.getvalue().splitlines()
    assert lines[0] == "▸ ladder  Measure."
    assert lines[1] == "  tfidf [86.4 %]"
    assert lines[2] == "   33 % a probe with a name too long for forty columns (5.0 s, 10 s left)"
    assert lines[3].startswith("   67 %")
    assert lines[4:] == ["✓ ladder  15 s"]


def test_a_failure_closes_with_a_cross_and_goes_on_up() -> None:
    progress, out = piped()
    with pytest.raises(ZeroDivisionError), progress:
        raise ZeroDivisionError
    assert out.getvalue().splitlines()[-1] == "✗ ladder  stopped after 0.0 s"


def test_none_is_silent() -> None:
    progress, out = piped("none")
    with progress:
        progress.say("x")
        progress.at(1, 2, "y")
    assert out.getvalue() == ""


def test_an_unknown_total_has_no_percentage() -> None:
    clock = Clock()
    progress, out = piped(clock=clock)
    with progress:
        clock.now += 6
        progress.at(3, 0, "reading")
    assert out.getvalue().splitlines()[1] == "  reading (6.0 s)"


def test_forced_colour_in_a_pipe_redraws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not ConsoleProgress("ladder", console=Console(file=io.StringIO())).live


def test_time_left_follows_the_pace_since_a_resume_and_starts_anew_with_a_new_total() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    assert left.seconds(50, 100) is None
    clock.now += 10
    assert left.seconds(75, 100) == pytest.approx(10)
    assert left.seconds(0, 40) is None
    clock.now += 2
    assert left.seconds(10, 40) == pytest.approx(6)
    assert left.seconds(0, 0) is None


def in_terminal(mode: str) -> tuple[str, str]:
    """Run the script on a real pseudo-terminal as stderr; what the terminal and what stdout got."""
    screen, side = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    environ = {key: value for key, value in environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    script = SCRIPT.replace('"Measure every rung."', f'"Measure every rung.", "{mode}"')
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=side, env=environ, check=True)
    os.close(side)
    seen = b""
    while True:
        try:
            piece = os.read(screen, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(screen)
    return seen.decode(), done.stdout.decode()


def test_a_terminal_handed_to_a_subprocess_is_redrawn_and_left_usable() -> None:
    seen, stdout = in_terminal("auto")
    assert "probe [row 1]" in seen
    assert "\x1b[2K" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    shown_at = seen.index("\x1b[?25h")
    assert "probe" not in seen[: seen.index("\x1b[?25l")]
    assert seen.index("\x1b[?25l") < shown_at < seen.index("tfidf")
    assert stdout == "a result\n"


def test_plain_in_a_terminal_redraws_nothing() -> None:
    seen, stdout = in_terminal("plain")
    assert "\x1b[2K" not in seen
    assert "tfidf 86.4 %" in seen
    assert stdout == "a result\n"
