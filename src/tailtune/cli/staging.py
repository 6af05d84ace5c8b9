"""Folders of a use case that `tailtune new` is still writing: beside the real ones, out of everybody's sight.

Rows are built in `data/.new/NAME`, the declaration in `models/.new/NAME`. Nothing lists `.new`. The declaration moves
into its place last; as long as it has not, `data/NAME` is this command's own work and may go.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import BusyError
from tailtune.core.locks import is_taken

STAGING = ".new"


@contextmanager
def alone(paths: Paths) -> Iterator[None]:
    """Hold the checkout for one command at a time that writes to data/ and models/; a process that dies lets go of it.

    Raises:
        BusyError: Another one is running.
    """
    models = os.open(paths.models, os.O_RDONLY)
    try:
        if is_taken(models):
            message = "another command writes to data/ or models/ of this checkout"
            raise BusyError(message, "wait for it, then run the same command again")
        yield
    finally:
        os.close(models)


def build_in(paths: Paths, name: str) -> CasePaths:
    """Make the empty folders of a use case in staging."""
    case = CasePaths(paths, f"{STAGING}/{name}")
    case.data.mkdir(parents=True)  # before the declaration's: see `clear`
    case.folder.mkdir(parents=True)
    return case


def place_rows(paths: Paths, name: str) -> None:
    """Give the rows their place."""
    CasePaths(paths, f"{STAGING}/{name}").data.rename(paths.case(name).data)
    (paths.data / STAGING).rmdir()


def place_declaration(paths: Paths, name: str) -> None:
    """Give the declaration its place: from now on the use case is there."""
    CasePaths(paths, f"{STAGING}/{name}").folder.rename(paths.case(name).folder)
    (paths.models / STAGING).rmdir()


def clear(paths: Paths) -> None:
    """Remove what a killed `tailtune new` has left. Call it only when none is running."""
    for left in _folders(paths.models / STAGING):
        rows_moved = not CasePaths(paths, f"{STAGING}/{left.name}").data.exists()
        if rows_moved and not paths.case(left.name).folder.exists():
            shutil.rmtree(paths.case(left.name).data, ignore_errors=True)
    shutil.rmtree(paths.models / STAGING, ignore_errors=True)
    shutil.rmtree(paths.data / STAGING, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
