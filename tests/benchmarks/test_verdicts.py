"""The benchmark of verdicts judges tasks to the end: whoever changes the judge's values changes it, too."""

from __future__ import annotations

import subprocess
import sys

from house.tree import ROOT


def test_a_few_tasks_are_judged() -> None:
    command = [sys.executable, "benchmarks/verdicts.py", "--tasks", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "of 20 verdicts right" in done.stdout
