"""Samples are written where they are missing, and never at the cost of other rows."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

from cli.checkout import Cli, checkout, environment
from tailtune.cli.sample import example, restore_samples
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.services import versions

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

GENERATOR = """
from dataclasses import dataclass

calls = []


@dataclass
class Written:
    rows: int


def write(data):
    calls.append(data)
    (data / "NAME").mkdir(parents=True, exist_ok=True)
    (data / "NAME" / "rows.csv").write_text("text,label\\nhello,greeting\\n", encoding="utf-8")
    return Written(ROWS)
"""


def add_generator(paths: Paths, name: str, rows: int) -> None:
    """A small sample of a use case, whose generator remembers how often it wrote."""
    init = paths.generator(name)
    init.parent.mkdir(parents=True)
    (paths.examples / "__init__.py").touch()
    init.write_text(GENERATOR.replace("NAME", name).replace("ROWS", str(rows)), encoding="utf-8")


def calls(paths: Paths) -> list[Path]:
    """The data folders that the sample `first` was written to, once per time."""
    made: list[Path] = example(paths, "first").calls
    return made


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    paths = checkout(tmp_path / "checkout")
    add_generator(paths, "first", rows=12)
    return Cli(paths, capsys)


def test_a_sample_is_written_pinned_and_not_written_again(cli: Cli) -> None:
    file = cli.paths.case("first").data / "rows.csv"
    file.unlink()
    result = cli("sample", "first")
    assert (result.code, result.out) == (0, "data/first/ holds 12 rows; data.dvc was updated\n")
    assert versions.data_is_pinned(cli.paths)
    assert cli("sample", "first").out == "data/first/ is as data.dvc pins it\n"
    assert len(calls(cli.paths)) == 1
    pin = cli.paths.data_dvc.read_bytes()
    file.unlink()
    assert cli("sample", "first").out == "data/first/ holds 12 rows; data.dvc pins exactly these\n"
    assert cli.paths.data_dvc.read_bytes() == pin


def test_one_pin_covers_all_samples_so_missing_ones_are_made_too(cli: Cli) -> None:
    add_generator(cli.paths, "other", rows=7)
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
    assert "nothing: no such sample; there is first" in result.err
    assert result.err.endswith("Next:  tailtune sample first\n")


def test_without_generators_the_error_says_where_they_are(cli: Cli) -> None:
    shutil.rmtree(cli.paths.examples)
    answer = cli("sample", "support-tickets")
    assert answer.code == 2
    assert f"{cli.paths.examples}: no generators of sample data; expected those of a TailTune checkout" in answer.err
    assert answer.err.endswith("Next:  tailtune new --help\n")


def test_generators_have_a_private_name_for_each_checkout(cli: Cli) -> None:
    names = {example(cli.paths, "first").__name__, example(Paths(ROOT), "dice").__name__}
    assert len({name.partition(".")[0] for name in names}) == 2
    assert all(name.startswith("_tailtune_examples_") for name in names)
    assert not any(Path(entry).resolve() in (ROOT, cli.paths.root) for entry in sys.path if entry)


def test_a_use_case_without_rows_is_not_dropped_from_the_pin(cli: Cli) -> None:
    cli.paths.case("other").folder.mkdir()
    cli.paths.case("other").model_yaml.touch()
    result = cli("sample", "first")
    assert result.code == 2
    assert "data/: no rows of other" in result.err
    assert not cli.paths.data_dvc.exists()


def test_restoring_writes_only_samples_that_are_missing(cli: Cli) -> None:
    restore_samples(cli.paths)
    assert calls(cli.paths) == []
    folder = cli.paths.case("first").data
    (folder / "rows.csv").unlink()
    folder.rmdir()
    restore_samples(cli.paths)
    assert calls(cli.paths) == [cli.paths.data]
    assert (folder / "rows.csv").is_file()


def test_restoring_refuses_when_rows_cannot_be_made(cli: Cli) -> None:
    shutil.rmtree(cli.paths.examples)
    (cli.paths.case("first").data / "rows.csv").unlink()
    cli.paths.case("first").data.rmdir()
    with pytest.raises(UsageError, match="no rows of first"):
        restore_samples(cli.paths)
