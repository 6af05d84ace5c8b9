"""Folders and files that only their owner may read: customers' texts, kept answers, stores of runs."""

from __future__ import annotations

import os
from contextlib import suppress
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
