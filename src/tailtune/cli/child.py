"""A child process that ends in its own way: Ctrl-C reaches it as well, and it is given the time to clean up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_to_end(words: Sequence[str], cwd: Path) -> int:
    """Run a command in this terminal and wait for it.

    `subprocess.run` would kill the child a quarter of a second after Ctrl-C, in the middle of its clean-up.

    Returns:
        Its exit code; 128 + n when signal n ended it.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the child has ended by itself, or was killed at a second Ctrl-C.

    Limit: a SIGINT sent to this process alone, and not to its group as a terminal does, only waits for the child.
    """
    child = subprocess.Popen(words, cwd=cwd)  # noqa: S603 - our own words, no shell
    try:
        code = child.wait()
    except KeyboardInterrupt:
        print("\nending the run; Ctrl-C again kills it", file=sys.stderr, flush=True)
        try:
            child.wait()
        except KeyboardInterrupt:
            child.kill()
            child.wait()
        raise
    return 128 - code if code < 0 else code
