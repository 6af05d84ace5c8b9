"""An empty MLflow store: making one takes seconds, copying it none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from worlds.once import once


def empty(factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated database. Read only; a copy of it is a moved store, which `prepare` mends."""
    return once(factory, "store", _make)


def give(factory: pytest.TempPathFactory, folder: Path) -> None:
    """Put an empty store where there is none yet."""
    shutil.copytree(empty(factory), folder)


def _make(folder: Path) -> None:
    from tailtune.services.mlflow.home import prepare

    folder.mkdir()
    prepare(f"sqlite:///{folder / 'mlflow.db'}")
