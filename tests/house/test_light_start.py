"""What a command costs before it does anything: heavy libraries are imported by the work that needs them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT

# fmt: off
HEAVY = {
    "cleanlab", "dateparser", "dvc", "gepa", "git", "great_expectations", "httpx2", "jsonschema", "llguidance",
    "matplotlib", "mlflow", "numpy", "openai", "pandas", "peft", "phonenumbers", "prefect", "price_parser", "pyarrow",
    "rapidfuzz", "rensa", "requests", "safetensors", "scipy", "sklearn", "slack_sdk", "sqlalchemy", "tokenizers",
    "torch", "transformers",
}
# fmt: on
START = """
import json, sys
from tailtune.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))
"""


def loaded_by(*words: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", START, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    code, names = json.loads(done.stdout.splitlines()[-1])
    return code, set(names)


def test_heavy_names_are_packages_here() -> None:
    """A misspelt name would be absent for ever."""
    missing = [name for name in HEAVY if importlib.util.find_spec(name) is None]
    assert not missing


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("train", "--help"), ("list",)], ids=" ".join)
def test_a_light_command_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    code, names = loaded_by(*words)
    assert code == 0
    assert "typer" in names, "the command line was not loaded at all"
    assert not names & HEAVY


def test_importing_every_floor_touches_no_file_and_prints_nothing(tmp_path: Path) -> None:
    """A module that acts on import acts in every command, test and server."""
    ask = "import tailtune.lifecycle.runner, tailtune.cli.app, tailtune.report.terminal.summary, tailtune.tasks.saved"
    done = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_mlflow_does_not_hide_the_package() -> None:
    """A folder without __init__.py loses against an installed package; with one it would win."""
    assert not (ROOT / "mlflow" / "__init__.py").exists()
    ask = "import importlib.util; print(importlib.util.find_spec('mlflow').origin)"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    origin = Path(done.stdout.strip())
    assert origin.name == "__init__.py"
    assert (ROOT / "mlflow") not in origin.parents
