"""Folders and files that only their owner may read: customers' texts, kept answers, stores of runs, temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OTHERS = 0o007


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may open; one that is there keeps the rights that somebody gave it."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def private_file(file: Path) -> None:
    """Make an empty file that only its owner may read; take the rights of everybody else from one that is there.

    A group keeps its rights: people may share such a file on purpose.
    """
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    mode = file.stat().st_mode
    if mode & _OTHERS:
        with suppress(PermissionError):  # somebody else's
            file.chmod(mode & ~_OTHERS & 0o777)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Let what this process writes for a moment go into a folder, also what libraries write.

    The folder is emptied before and removed after: a process that was killed leaves nothing for longer than until the
    next one. For one process at a time.
    """
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    before, tempfile.tempdir = tempfile.tempdir, str(folder.resolve())
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
