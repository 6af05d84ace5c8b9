"""A folder that is built once a run: whichever worker of pytest-xdist needs it first builds it, the others wait."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder of that name. Read only: copy it to change it.

    Args:
        factory: Of the test session.
        name: One per world; equal names are the same folder.
        build: Is handed the folder, which is not there yet, and makes it in place.
    """
    folder = shared(factory) / name / "made"
    done = folder.parent / "done"
    with locked(folder.parent):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # a build that failed is tried again
            build(folder)
            done.touch()
    return folder


def shared(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this run see."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    return base / "worlds"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a shared folder alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
