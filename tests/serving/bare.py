"""A Python process in which our code is not installed: what carries none of it cannot use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_REFUSING = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tailtune":
            raise ModuleNotFoundError(f"not installed here: {name}", name=name)

sys.meta_path.insert(0, Refusing())
"""


def run(script: str, *words: str, env: Mapping[str, str], cwd: Path) -> list[str]:
    """Run a script there. Returns the lines that it printed."""
    command = [sys.executable, "-W", "ignore", "-c", _REFUSING + script, *words]
    done = subprocess.run(command, env=dict(env), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
