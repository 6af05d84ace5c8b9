"""Programs that tests need and pip does not bring: one that is missing skips a test, and fails it in CI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def is_ci() -> bool:
    """Whether this is a run where every part must be there: CI is set, as CI services and `.ci/run` do."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def missing(what: str, how_to_install: str) -> NoReturn:
    """Skip the test, or fail it in CI."""
    words = f"{what} is missing: {how_to_install}"
    if is_ci():
        pytest.fail(f"{words} (CI is set: nothing is skipped)", pytrace=False)
    pytest.skip(words)


def program(name: str, how_to_install: str) -> str:
    """The path of a program, of this environment or of the machine."""
    own = shutil.which(name, path=str(Path(sys.executable).parent))
    return own or shutil.which(name) or missing(name, how_to_install)
