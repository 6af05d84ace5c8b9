"""Samples are written where they are missing, and never at the cost of other rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.checkout import Cli, checkout, environment, rows, write
from tailtune.cli.samples import SAMPLES, restore_samples
from tailtune.core.errors import UsageError
from tailtune.services import versions

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A small sample for the use case `first`; counts how often it is written."""
    calls: list[Path] = []

    def sample(data: Path) -> int:
        calls.append(data)
        (data / "first").mkdir(parents=True, exist_ok=True)
        write(data / "first" / "rows.csv", rows())
        return 12

    monkeypatch.setitem(SAMPLES, "first", sample)
    return calls


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: list[Path]
) -> Cli:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    return Cli(checkout(tmp_path / "checkout"), capsys)


def test_a_sample_is_written_pinned_and_not_written_again(cli: Cli, written: list[Path]) -> None:
    file = cli.paths.case("first").data / "rows.csv"
    file.unlink()
    result = cli("sample", "first")
    assert (result.code, result.out) == (0, "data/first/ holds 12 rows; data.dvc was updated\n")
    assert versions.data_is_pinned(cli.paths)
    assert cli("sample", "first").out == "data/first/ is as data.dvc pins it\n"
    assert len(written) == 1
    pin = cli.paths.data_dvc.read_bytes()
    file.unlink()
    assert cli("sample", "first").out == "data/first/ holds 12 rows; data.dvc pins exactly these\n"
    assert cli.paths.data_dvc.read_bytes() == pin


def test_the_rows_of_other_samples_are_made_too_for_one_pin_covers_all(
    cli: Cli, written: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(data: Path) -> int:
        (data / "other").mkdir(parents=True)
        write(data / "other" / "rows.csv", rows())
        return 7

    monkeypatch.setitem(SAMPLES, "other", other)
    shutil.copytree(cli.paths.case("first").folder, cli.paths.case("other").folder)
    (cli.paths.case("first").data / "rows.csv").unlink()
    result = cli("sample", "first")
    assert result.out == (
        "data/other/ holds 7 rows; data.dvc pins them together\ndata/first/ holds 12 rows; data.dvc was updated\n"
    )
    assert versions.data_is_pinned(cli.paths, "other")


def test_no_such_sample_names_those_there_are(cli: Cli) -> None:
    result = cli("sample", "nothing")
    assert result.code == 2
    assert "nothing: no such sample; there is support-tickets, insurance-claims, first" in result.err
    assert result.err.endswith("Next:  tailtune sample support-tickets\n")


def test_a_use_case_without_rows_is_not_dropped_from_the_pin(cli: Cli, written: list[Path]) -> None:
    cli.paths.case("other").folder.mkdir()
    cli.paths.case("other").model_yaml.touch()
    result = cli("sample", "first")
    assert result.code == 2
    assert "data/: no rows of other" in result.err
    assert not cli.paths.data_dvc.exists()


def test_restoring_writes_only_samples_that_are_missing(cli: Cli, written: list[Path]) -> None:
    restore_samples(cli.paths)
    assert written == []
    folder = cli.paths.case("first").data
    (folder / "rows.csv").unlink()
    folder.rmdir()
    restore_samples(cli.paths)
    assert written == [cli.paths.data]
    assert (folder / "rows.csv").is_file()


def test_restoring_refuses_when_rows_cannot_be_made(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SAMPLES, "first")
    (cli.paths.case("first").data / "rows.csv").unlink()
    cli.paths.case("first").data.rmdir()
    with pytest.raises(UsageError, match="no rows of first"):
        restore_samples(cli.paths)
