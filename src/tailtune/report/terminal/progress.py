"""How a person sees that long work goes on: one live line in a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from tailtune.report.numbers import duration
from tailtune.report.terminal.console import PrintableConsole

Mode = Literal["auto", "plain", "none"]
EVERY_S = 5.0


class TimeLeft:
    """One per phase of work: how long it goes on, from what is done so far. A new total is a new phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._total = -1.0
        self._first = self._last = self._since = 0.0

    def seconds(self, done: float, total: float) -> float | None:
        """Seconds left, at the mean rate since the phase began.

        Args:
            done: What is done, in any unit; a resumed phase begins above 0.
            total: All there is to do, same unit.

        Returns:
            Seconds; None in the first second, and while less than 2 % was done, because then it is a guess.
        """
        now = self._clock()
        if total != self._total or done < self._last:
            self._total, self._first, self._since = total, done, now
        self._last = done
        moved, spent = done - self._first, now - self._since
        if spent < 1 or total <= 0 or moved < 0.02 * total:
            return None
        return max(total - done, 0.0) * spent / moved


class ConsoleProgress:
    """One per stage run; a `core.progress.Progress`, and a context manager that says when the stage begins and ends.

    Draws on stderr, so that stdout stays a command's result. A live line needs a real terminal (DVC and Prefect
    hand theirs on to a stage's process); where there is none, or mode is plain, a passing state is a line of its own,
    at most one in five seconds. The cursor is never hidden, so a killed run leaves a usable terminal.

    Args:
        stage: Name in the header line; without it there is no header and no closing line.
        summary: What the stage does, in the header line.
        mode: `Settings.progress`.
        console: Where to draw; stderr by default.
        clock: Seconds that never go back; for tests.
    """

    def __init__(
        self,
        stage: str = "",
        summary: str = "",
        mode: Mode = "auto",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage, self._summary, self._mode, self._clock = stage, summary, mode, clock
        self._console = console or PrintableConsole(stderr=True)
        self._left = TimeLeft(clock)
        self._began = self._shown = clock()
        self._live: Progress | None = None

    @property
    def live(self) -> bool:
        """Whether there is a terminal that can redraw a line. FORCE_COLOR alone makes none."""
        screen = self._console.is_terminal and not self._console.is_dumb_terminal
        return self._mode == "auto" and screen and self._console.file.isatty()

    def __enter__(self) -> ConsoleProgress:
        self._began = self._shown = self._clock()
        if self._stage:
            self._line(Text.assemble(("▸ ", "cyan"), (self._stage, "bold"), ("  " + self._summary, "dim")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if not self._stage:
            return
        took = duration(self._clock() - self._began)
        if kind is None:
            self._line(Text.assemble(("✓ ", "green"), (self._stage, "bold"), ("  " + took, "dim")))
        else:
            self._line(Text.assemble(("✗ ", "red"), (self._stage, "bold"), (f"  stopped after {took}", "dim")))

    def say(self, text: str) -> None:
        """A line worth keeping."""
        self._line(Text("  " + text))

    def at(self, done: float, total: float, what: str) -> None:
        """A passing state: the live line, or a plain line when the last is five seconds old."""
        left = self._left.seconds(done, total)
        if self.live:
            self._draw(done, total, what, "" if left is None else f"{duration(left)} left")
            return
        now = self._clock()
        if now - self._shown < EVERY_S:
            return
        self._shown = now
        reached = f"{min(done / total, 1) * 100:3.0f} % " if total > 0 else ""
        ahead = "" if left is None else f", {duration(left)} left"
        self._line(Text(f"  {reached}{what} ({duration(now - self._began)}{ahead})"))

    def close(self) -> None:
        """Take the live line away. What was said stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, text: Text) -> None:
        if self._mode != "none":
            self._console.print(text, soft_wrap=True)

    def _draw(self, done: float, total: float, what: str, left: str) -> None:
        if self._live is None:
            self._live = _bar(self._console)
            self._live.start()
            self._console.show_cursor(True)
            self._live.add_task(what, total=None, left="")
        task = self._live.task_ids[0]
        self._live.update(task, completed=done, total=total if total > 0 else None, description=what, left=left)


def _bar(console: Console) -> Progress:
    name = Column(no_wrap=True, overflow="ellipsis", max_width=max(console.width - 50, 16))
    return Progress(
        SpinnerColumn("dots", style="cyan"),
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", style="dim"),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
