"""The verbs, and how every kind of error leaves the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.checkout import Cli, checkout, environment
from tailtune import __version__
from tailtune.cli import app as verbs
from tailtune.core.errors import BusyError, DataError, Fault, GateError, StaleLadderError, UsageError
from tailtune.stages import runner
from tailtune.stages.table import STAGES


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    return Cli(checkout(tmp_path / "checkout"), capsys)


def test_the_version(cli: Cli) -> None:
    said = cli("--version")
    assert (said.code, said.out, said.err) == (0, f"tailtune {__version__}\n", "")


def test_an_unknown_command_is_used_wrongly(cli: Cli) -> None:
    said = cli("curat")
    assert (said.code, said.out) == (2, "")
    assert "No such command 'curat'" in said.err
    assert cli("check").code == 2
    assert cli("check", "first", "--nope").code == 2


def test_help_lists_every_stage_in_order(cli: Cli) -> None:
    said = cli("--help")
    assert said.code == 0
    places = [said.out.index(f"{stage.name} ") for stage in STAGES if f"\n  {stage.name} " in said.out]
    assert len(places) == len(STAGES)
    for verb in ("new", "check", "sample", "run", "show", "list", "reproduce"):
        assert f"\n  {verb} " in said.out


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_stage_is_a_verb(cli: Cli, stage: object, monkeypatch: pytest.MonkeyPatch) -> None:
    name = stage.name  # type: ignore[attr-defined]
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(runner, "run_stage", lambda name, use_case, *_: calls.append((name, use_case)))
    assert cli(name, "first").code == 0
    assert calls == [(name, "first")]


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (GateError("no: leaks", "look"), 3, "\nno: leaks\nNext:  look\n"),
        (StaleLadderError("measured on other rows", "tailtune run first"), 3,
         "\nmeasured on other rows\nNext:  tailtune run first\n"),
        (BusyError("in use"), 1, "\nin use\n"),
        (UsageError("wrong", "right"), 2, "\nwrong\nNext:  right\n"),
        (DataError([Fault("a:1", "x"), Fault("a:2", "y")], "mend"), 1, "\na:1  x\na:2  y\nNext:  mend\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted; the same command goes on from here\n"),
    ],
)  # fmt: skip
def test_an_error_is_a_message_and_the_next_command(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, printed: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setenv("TAILTUNE_PROGRESS", "none")
    monkeypatch.setattr(runner, "run_stage", fail)
    said = cli("train", "first")
    assert (said.code, said.out, said.err) == (code, "", printed)


def test_wrong_settings_are_told_not_thrown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "loud")
    said = cli("train", "first")
    assert said.code == 2
    assert "TAILTUNE_PROGRESS: " in said.err
    assert "Traceback" not in said.err


def test_outside_a_checkout(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_ROOT", str(tmp_path))
    said = cli("list")
    assert said.code == 2
    assert "not inside a TailTune project" in said.err


@pytest.mark.parametrize("words", [["first"], ["first@"], ["@"]])
def test_reproduce_wants_a_version(cli: Cli, words: list[str]) -> None:
    said = cli("reproduce", *words)
    assert said.code == 2
    assert "expected USE-CASE@ALIAS" in said.err


@pytest.mark.parametrize("code", [0, 3])
def test_run_hands_over_to_the_flow_and_keeps_its_exit_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    calls: list[tuple[list[str], Path]] = []

    def flow(words: list[str], cwd: Path, check: bool) -> SimpleNamespace:
        calls.append((words, cwd))
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(verbs.subprocess, "run", flow)
    said = cli("run", "first", "--force")
    root = cli.paths.root
    assert calls == [
        ([sys.executable, str(root / "flows" / "lifecycle.py"), "first", "--parent", str(os.getpid()), "--force"], root)
    ]
    assert said.code == code
    assert "Next:  tailtune run first" in said.out


def test_run_of_an_unknown_use_case_starts_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs.subprocess, "run", lambda *_, **__: pytest.fail("a flow was started"))
    assert cli("run", "frist").code == 2


def test_as_a_module_in_a_process_of_its_own(cli: Cli) -> None:
    words = [sys.executable, "-m", "tailtune", "check", "frist"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean first?" in done.stderr
    assert "Traceback" not in done.stderr
