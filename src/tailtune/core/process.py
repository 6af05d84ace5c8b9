"""The start and the end of a process that imports large libraries."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import NoReturn

_NEW_OBJECTS = 100_000
"""How many objects come between two collections; Python's own 700 costs a fifth of the time that imports take."""


def collect_rarely() -> None:
    """Let the garbage collector run less often: what imports make lives as long as the process."""
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def leave(code: int) -> NoReturn:
    """End this process at once, with what it has written: taking torch and its like apart takes more than a second.

    No `atexit` function runs, so whoever needs a clean end (a server, a queue of events) has had it.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
