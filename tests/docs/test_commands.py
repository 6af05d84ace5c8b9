"""Every command the pages show is there; the cheap ones are run, and print what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from docs.pages import ROOT, Block, Command, blocks, commands

BIN = Path(sys.executable).parent
PLAIN = {".", "cd", "chmod", "cp", "curl", "docker", "echo", "export", "git", "mkdir", "mv", "openssl", "printf", "sed"}
"""Programs of the shell or of every machine: not ours to check."""
OURS = {"tailtune", "dvc", "prefect", "mlflow"}
GROUPS = {
    ("dvc", "metrics"),
    ("dvc", "remote"),
    ("mlflow", "models"),
    ("prefect", "deployment"),
    ("prefect", "deployment", "schedule"),
    ("prefect", "work-pool"),
    ("prefect", "worker"),
    ("tailtune", "cost"),
    ("tailtune", "token"),
}
"""Programs and commands that take a further word to be a command."""


def environment() -> dict[str, str]:
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "1", "COLUMNS": "120"}
    quiet |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "TAILTUNE_PROGRESS": "plain", "PYTHONWARNINGS": "ignore"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAILTUNE_", "PREFECT_"))}
    return {**kept, **quiet, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


@cache
def help_of(*words: str) -> str:
    """What a command's own help says; fails when there is no such command."""
    done = subprocess.run(
        [*words, "--help"], capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=120, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@cache
def target(name: str) -> str:
    """Why `make` cannot make a target; empty when it can. A folder of that name is not enough."""
    if not re.search(rf"^{name}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE):
        return f"Makefile: no target {name}"
    words = ["make", "--always-make", "--dry-run", name]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    return "" if done.returncode == 0 and done.stdout.strip() else f"make {name}: {done.stderr or 'does nothing'}"


def faults(words: list[str]) -> list[str]:
    """What is wrong with one program call."""
    program, rest = words[0], words[1:]
    if program in PLAIN:
        return []
    if program == "make":
        return [fault for name in rest if (fault := target(name))]
    if program == "python":
        return [] if (ROOT / rest[0]).is_file() else [f"{rest[0]}: no such file"]
    if program not in OURS:
        return [f"{program}: nobody checks this program; add it to PLAIN or OURS"]
    return _option_faults(program, rest)


def _option_faults(program: str, rest: list[str]) -> list[str]:
    called = (program,)
    for word in (word for word in rest if not word.startswith("-")):
        called = (*called, word)
        if called not in GROUPS:
            break
    text = help_of(*called)
    options = [word.partition("=")[0] for word in rest if re.fullmatch(r"--?[a-z][\w=-]*", word)]
    return [
        f"{program}: no option {one}" for one in options if not _names(text, one) and not _names(help_of(program), one)
    ]


def _names(text: str, option: str) -> bool:
    return re.search(rf"(^|[\s,\[(]){option}\b", text) is not None


ALL = commands()


@pytest.mark.parametrize("command", ALL, ids=lambda one: re.sub(r"\W+", "-", str(one))[:70])
def test_a_command_and_its_options_are_there(command: Command) -> None:
    assert command.programs, command
    wrong = [fault for words in command.programs for fault in faults(words)]
    assert not wrong, f"{command}\n{wrong}"


def test_the_checks_find_what_is_wrong() -> None:
    assert faults(["tailtune", "new", "x", "--from", "f", "--text", "t"]) == []
    assert faults(["tailtune", "new", "x", "--form", "f"]) == ["tailtune: no option --form"]
    assert faults(["make", "test"]) == []
    assert faults(["make", "src"]) == ["Makefile: no target src"]
    assert faults(["python", "infra/nothing.py"])
    assert faults(["rm", "-rf", "build"])
    with pytest.raises(AssertionError):
        faults(["tailtune", "nothing"])


def test_the_two_commands_of_the_readme_are_shown() -> None:
    shown = {command.text for command in ALL if command.page == "README.md"}
    assert {"make demo", "make test"} <= shown


RUN = [block for block in blocks() if block.run]


def test_some_blocks_are_run() -> None:
    assert {block.page for block in RUN} >= {"docs/guides/bring-your-own-data.md", "docs/guides/operate.md"}


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_a_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    """Its blocks, one after the other, in a fresh checkout."""
    checkout = fresh_checkout(tmp_path / "checkout")
    for block in RUN:
        if block.page == page:
            run(block, checkout)


def run(block: Block, checkout: Path) -> None:
    for command in block.commands:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=checkout,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        missing = [line for line in command.printed if not re.search(expected(line), done.stdout, re.MULTILINE)]
        assert not missing, f"{command}\nsaid to print {missing}\nprinted:\n{done.stdout}"


def expected(line: str) -> str:
    """A shown line as a pattern: … stands for anything, the end of the line included."""
    return "^" + r".*".join(re.escape(part) for part in line.split("…")).replace(r"\ ", r"\s+") + r"\s*$"


def fresh_checkout(folder: Path) -> Path:
    """The files that git holds or would hold, as a repository of their own."""
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder
