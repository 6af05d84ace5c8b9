"""The verbs, and how every kind of error leaves the command line."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.checkout import Cli
from tailtune import __version__
from tailtune.core.errors import BusyError, DataError, Fault, GateError, StaleLadderError, UsageError
from tailtune.lifecycle import runner
from tailtune.lifecycle.table import STAGES


def test_the_version(cli: Cli) -> None:
    result = cli("--version")
    assert (result.code, result.out, result.err) == (0, f"tailtune {__version__}\n", "")


def test_an_unknown_command_is_used_wrongly(cli: Cli) -> None:
    result = cli("curat")
    assert (result.code, result.out) == (2, "")
    assert "No such command 'curat'" in result.err
    assert cli("check").code == 2
    assert cli("check", "first", "--nope").code == 2


def test_help_lists_every_stage_in_order(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    places = [result.out.index(f"{stage.name} ") for stage in STAGES if f"\n  {stage.name} " in result.out]
    assert len(places) == len(STAGES)
    for verb in ("new", "check", "sample", "run", "show", "list", "reproduce"):
        assert f"\n  {verb} " in result.out


def test_help_cuts_no_sentence(cli: Cli) -> None:
    lines = cli("--help").out.partition("Commands:\n")[2].splitlines()
    verbs = [line for line in lines if line.startswith("  ")]
    assert len(verbs) > 30
    assert [line for line in verbs if line.endswith("...")] == []


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
    result = cli("train", "first")
    assert (result.code, result.out, result.err) == (code, "", printed)


def test_wrong_settings_are_told_not_thrown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "loud")
    result = cli("train", "first")
    assert result.code == 2
    assert "TAILTUNE_PROGRESS: " in result.err
    assert "Traceback" not in result.err


def test_outside_a_checkout(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_ROOT", str(tmp_path))
    result = cli("list")
    assert result.code == 2
    assert "not inside a TailTune project" in result.err


@pytest.mark.parametrize("words", [["first"], ["first@"], ["@"]])
def test_reproduce_wants_a_version(cli: Cli, words: list[str]) -> None:
    result = cli("reproduce", *words)
    assert result.code == 2
    assert "expected USE-CASE@ALIAS" in result.err


def fake_flow(cli: Cli, body: str) -> None:
    """A flows/lifecycle.py that does what `body` says."""
    flow = cli.paths.root / "flows" / "lifecycle.py"
    flow.parent.mkdir()
    flow.write_text(body, encoding="utf-8")


@pytest.mark.parametrize("code", [0, 3])
def test_run_hands_over_to_the_flow_and_keeps_its_exit_code(cli: Cli, code: int) -> None:
    fake_flow(cli, f"import os, sys; open('said', 'w').write(repr(sys.argv[1:])); sys.exit({code})")
    done = cli("run", "first", "--force")
    words = ast.literal_eval((cli.paths.root / "said").read_text(encoding="utf-8"))
    assert words[:3] == ["first", "--parent", str(os.getpid())]
    assert words[3] == "--server" and words[4].startswith("http://127.0.0.1:")
    assert words[5:] == ["--force"]
    assert done.code == code
    assert "Next:  tailtune run first" in done.out


def test_a_flow_that_was_killed_has_the_exit_code_of_its_signal(cli: Cli) -> None:
    fake_flow(cli, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert cli("run", "first").code == 128 + signal.SIGKILL


def test_run_of_an_unknown_use_case_starts_nothing(cli: Cli) -> None:
    fake_flow(cli, "open('said', 'w')")
    assert cli("run", "frist").code == 2
    assert not (cli.paths.root / "said").exists()


def test_a_file_that_cannot_be_read_is_told_and_no_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/rows.csv")

    monkeypatch.setattr(runner, "run_stage", fail)
    monkeypatch.setenv("TAILTUNE_PROGRESS", "none")
    result = cli("curate", "first")
    assert (result.code, result.err) == (
        1,
        "\n/data/rows.csv: Permission denied\nNext:  mend the path, its permissions or the disk, then run again\n",
    )


def test_as_a_module_in_a_process_of_its_own(cli: Cli) -> None:
    words = [sys.executable, "-m", "tailtune", "check", "frist"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean first?" in done.stderr
    assert "Traceback" not in done.stderr
