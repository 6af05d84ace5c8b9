"""A file as a lock that one process of this machine holds; it lets go of it however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tailtune.core.errors import BusyError


def is_taken(descriptor: int) -> bool:
    """Take the lock of an open file, unless another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def alone(file: Path, busy: BusyError) -> Iterator[None]:
    """Hold a lock file, which is made if it is missing, while the block runs.

    Raises:
        BusyError: `busy`; another process holds it.
    """
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if is_taken(descriptor):
            raise busy
        yield
    finally:
        os.close(descriptor)
