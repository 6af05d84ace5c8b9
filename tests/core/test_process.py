"""A process that imports much starts and ends fast, and loses nothing that it has written."""

from __future__ import annotations

import subprocess
import sys

LATE = """
import atexit, sys
from tailtune.core.process import leave
atexit.register(print, "taken apart")
print("written")
print("on stderr too", file=sys.stderr, end="")
leave(3)
"""


def test_it_ends_with_its_code_and_all_that_was_written() -> None:
    ended = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "written\n", "on stderr too")
