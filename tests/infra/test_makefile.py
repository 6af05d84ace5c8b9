"""The Makefile lists its targets, and set-up happens once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = {"demo", "test", "check", "bench", "docs", "up", "down", "ui", "lock", "clean", "graph", "help"} | {
    "test-servers",
    "smoke",
}


def make(*words: str) -> str:
    done = subprocess.run(["make", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_is_the_default_and_names_every_target() -> None:
    lines = [line.split() for line in make("--no-print-directory").splitlines()]
    assert {words[1] for words in lines} == TARGETS
    assert all(len(words) > 2 for words in lines)


def test_a_second_make_does_not_touch_pip(tmp_path: Path) -> None:
    fresh = make("--dry-run", f"VENV={tmp_path}/venv", "demo")
    assert "pip install" in fresh
    assert "constraints.txt" in fresh
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/.installed").touch()
    again = make("--dry-run", f"VENV={tmp_path}/venv", "demo")
    assert "pip" not in again
    assert "tailtune sample support-tickets" in again
    assert "tailtune run support-tickets" in again
    assert f". {tmp_path}/venv/bin/activate" in again


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("python3.13", 127), ("python3.12", 0), ("python3.11", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert "python3.12 -m venv" in make("--dry-run", f"VENV={tmp_path}/venv", "demo")


def test_a_python_that_makes_no_environment_is_refused_before_one_is_begun(tmp_path: Path) -> None:
    """As Debian's without python3-venv: a folder half made would be taken for whole by the next `make`."""
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    python.chmod(0o755)
    venv = tmp_path / "venv"
    words = ["make", "-C", str(ROOT), f"PYTHON={python}", f"VENV={venv}", f"{venv}/.installed"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Next:  apt install python3-venv" in done.stderr
    assert not venv.exists()


@pytest.mark.parametrize("script", [".ci/run"])
def test_scripts_are_valid_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert "set -euo pipefail" in path.read_text()
