"""A lock is held by one process, and let go however that ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tailtune.core.errors import BusyError
from tailtune.core.locks import alone, is_taken

BUSY = BusyError("somebody is at it")


def taken_elsewhere(file: Path) -> bool:
    code = f"import os; from tailtune.core.locks import is_taken; exit(is_taken(os.open({str(file)!r}, os.O_RDWR)))"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


def test_another_process_finds_it_taken_until_the_block_ends(tmp_path: Path) -> None:
    with alone(tmp_path / "lock", BUSY):
        assert taken_elsewhere(tmp_path / "lock")
    assert not taken_elsewhere(tmp_path / "lock")


def test_who_comes_second_is_told_and_holds_nothing(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    assert not is_taken(descriptor)
    with pytest.raises(BusyError, match="somebody is at it"), alone(tmp_path / "lock", BUSY):
        pass
    os.close(descriptor)
    with alone(tmp_path / "lock", BUSY):
        pass
