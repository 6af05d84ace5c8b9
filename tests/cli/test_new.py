"""Bring your own data: all of it or nothing, and every fault of the file at once."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.checkout import Cli, Result, checkout, environment, rows, tree, unreadable, write
from tailtune.cli import staging
from tailtune.config.located import LinedYaml
from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import ServiceError
from tailtune.predictors.prompted.templates import PROMPTS
from tailtune.services import versions
from tailtune.tasks.classification.new import labels_yaml
from tailtune.tasks.use_case import load_use_case

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    with pytest.MonkeyPatch.context() as patch:
        site = tmp_path_factory.mktemp("site")
        root = tmp_path_factory.mktemp("cli") / "checkout"
        environment(patch, root, site)
        paths = checkout(root)
        versions.pin_data(paths)
        return paths


@pytest.fixture
def cli(pinned: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    root = tmp_path / "checkout"
    shutil.copytree(pinned.root, root)
    environment(monkeypatch, root, tmp_path / "site")
    return Cli(Paths(root), capsys)


def refused(cli: Cli, code: int, *words: str | Path) -> str:
    """The error on stderr, after making sure that nothing was left behind."""
    before = tree(cli.paths.root)
    result: Result = cli("new", *words)
    assert (result.code, result.out) == (code, "")
    assert tree(cli.paths.root) == before
    assert result.err.splitlines()[-1].startswith("Next:  ")
    return result.err


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_becomes_a_use_case(cli: Cli, tmp_path: Path, kind: str) -> None:
    source = write(tmp_path / f"my rows.{kind}", rows(5))
    result = cli("new", "mine", "--from", source)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == "Next:  tailtune run mine"
    assert "15 rows, pinned by data.dvc" in result.out
    assert "models/mine/prompts/     4 starting prompts for language models" in result.out.splitlines()
    case = load_use_case(cli.paths, "mine")
    assert case.spec.data.file == f"my rows.{kind}"
    assert case.answers.labels == {"billing": "billing", "login": "login", "refund": "refund"}
    assert (case.paths.data / f"my rows.{kind}").read_bytes() == source.read_bytes()
    lines = "      first: {answers: labels.yaml}\n      mine: {answers: labels.yaml}\n"
    assert lines in cli.paths.dvc_yaml.read_text(encoding="utf-8")
    assert versions.data_is_pinned(cli.paths)
    assert sorted(path.stem for path in case.paths.prompts.iterdir()) == sorted(PROMPTS)
    checked = cli("check", "mine")
    assert checked.code == 0
    assert "models/mine/prompts/     ok, 4 prompts" in checked.out.splitlines()
    assert "3 without a description, which prompts read: billing, login, refund" in checked.out


def test_columns_groups_and_a_test_file_of_the_same_name(cli: Cli, tmp_path: Path) -> None:
    named = [{"body": r["text"], "topic": r["label"], "who": str(i)} for i, r in enumerate(rows())]
    (tmp_path / "held-out").mkdir()
    source = write(tmp_path / "rows.csv", named)
    test = write(tmp_path / "held-out" / "rows.csv", named[:2])
    result = cli(
        "new", "mine", "--from", source, "--test", test, "--text", "body", "--label", "topic", "--group", "who"
    )
    assert result.code == 0
    data = load_use_case(cli.paths, "mine").spec.data
    assert (data.file, data.test_file, data.text, data.label, data.group) == (
        "rows.csv", "test-rows.csv", "body", "topic", "who",
    )  # fmt: skip
    folder = cli.paths.case("mine").data
    assert (folder / "rows.csv").read_bytes() == source.read_bytes()
    assert (folder / "test-rows.csv").read_bytes() == test.read_bytes()
    assert "14 rows" in result.out
    assert cli("check", "mine").code == 0


@pytest.mark.parametrize("name", ["My-Case", "a_b", "a--b", "-a", "a-", "../up", "a b", "ä", "x" * 61, "a/b", "."])
def test_malformed_names(cli: Cli, tmp_path: Path, name: str) -> None:
    words = ("--from", write(tmp_path / "r.csv", rows()), "--", name)
    assert "expected lower-case letters, digits and single dashes, at most 60" in refused(cli, 2, *words)


def test_taken_and_reserved_names(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.csv", rows())
    assert "models/first: the name is taken" in refused(cli, 2, "first", "--from", source)
    (cli.paths.data / "rows-only").mkdir()
    assert "data/rows-only: the name is taken" in refused(cli, 2, "rows-only", "--from", source)
    assert "truth: reserved" in refused(cli, 2, "truth", "--from", source)


def test_a_missing_column_names_the_nearest(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.csv", [{"texts": "a", "label": "b"}])
    assert "no column `text`; the file has texts, label; did you mean texts?" in refused(
        cli, 1, "mine", "--from", source
    )


def test_the_next_command_takes_the_columns_that_were_meant(cli: Cli, tmp_path: Path) -> None:
    source = write(
        tmp_path / "r.csv", [{"Nachricht": f"text {i}", "Kategorie": "abc"[i % 3], "Kanal": "x"} for i in range(9)]
    )
    text = refused(cli, 1, "mine", "--from", source, "--text", "nachricht", "--label", "Kategori")
    assert f"tailtune new mine --from {source} --text Nachricht --label Kategorie" in text


def test_usual_names_of_other_languages_are_known(cli: Cli, tmp_path: Path) -> None:
    content = [{"Kanal": "xy"[i % 2], "Nachricht": f"text {i}", "Kategorie": "abc"[i % 3]} for i in range(9)]
    text = refused(cli, 1, "mine", "--from", write(tmp_path / "r.csv", content))
    assert "--text Nachricht --label Kategorie" in text


def test_rows_with_objects_lead_to_an_extraction(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.jsonl", [{"text": f"hail on day {i}", "fields": {"day": i}} for i in range(3)])
    text = refused(cli, 1, "mine", "--from", source)
    assert "no column `label`; the file has text, fields" in text
    assert f"tailtune new mine --task extraction --from {source} --fields fields" in text


def test_one_label_is_not_enough(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.csv", rows(labels=["billing"]))
    text = refused(cli, 1, "mine", "--from", source)
    assert f"{source}  expected at least 2 different labels, found 1: billing" in text


def test_a_label_that_only_test_knows(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.csv", rows())
    test = write(tmp_path / "t.csv", rows(2, ["billing", "chat", "legal"]))
    text = refused(cli, 1, "mine", "--from", source, "--test", test)
    assert f"{test}  label `chat` (2 rows) never occurs in r.csv" in text
    assert "label `legal` (2 rows)" in text


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.csv", b"text,label\na,b\n\xff\xfe\xfa,c\n", "r.csv:3  byte 0xff"),
        ("r.csv", b'text,label\n"a,b\nc,d\n', "r.csv:2  the quote that opens here is never closed"),
        ("r.csv", b"", "r.csv  empty file"),
        ("r.csv", b"text,label\n", "no rows"),
        ("r.jsonl", b'{"text": "a", "label": "b"}\n{oops\n', "r.jsonl:2  not JSON"),
        ("r.parquet", b"PAR1 not", "unreadable Parquet"),
        ("r.xlsx", b"x", "unknown kind of file; expected .csv, .jsonl, .parquet"),
    ],
)
def test_files_that_cannot_be_read(cli: Cli, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in refused(cli, 1, "mine", "--from", tmp_path / name)


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    assert "no such file" in refused(cli, 1, "mine", "--from", tmp_path / "gone.csv")


def test_a_file_that_may_not_be_read_and_a_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{tmp_path}  a folder; expected a file" in refused(cli, 1, "mine", "--from", tmp_path)
    source = write(tmp_path / "r.csv", rows())
    with monkeypatch.context() as patch:
        unreadable(patch, source)
        result = cli("new", "mine", "--from", source)
    assert (result.code, result.err.splitlines()[1]) == (1, f"{source}: Permission denied")
    assert "Traceback" not in result.err
    assert not cli.paths.case("mine").data.exists()


STEPS = ("tailtune.cli.new.shutil.copyfile", "tailtune.cli.new.read_declaration", "tailtune.cli.staging.place_rows",
         "tailtune.services.versions.pin_data", "tailtune.cli.staging.place_declaration")  # fmt: skip


@pytest.mark.parametrize("name", ["mine", "other"])
@pytest.mark.parametrize("step", STEPS)
def test_what_a_killed_new_has_left_is_nothing_to_the_next(cli: Cli, tmp_path: Path, step: str, name: str) -> None:
    """A kill gives no time to undo anything."""
    source, before = write(tmp_path / "r.csv", rows()), tree(cli.paths.root)
    child = os.fork()
    if child == 0:  # the process that is killed at the step
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            cli("new", "mine", "--from", source)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert tree(cli.paths.root) != before or step == STEPS[0], "the kill came too early to leave anything"
    assert cli.paths.use_cases() == ["first"], "what is half done is no use case"
    result = cli("new", name, "--from", source)
    assert (result.code, result.err) == (0, "")
    assert cli.paths.use_cases() == sorted(["first", name])
    assert sorted(path.name for path in cli.paths.data.iterdir()) == sorted(["first", name])
    assert sorted(path.name for path in cli.paths.models.iterdir()) == sorted(["first", name, "prices.yaml"])
    assert versions.data_is_pinned(cli.paths)


def test_a_declaration_that_the_stage_graph_lacks_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(cli.paths.case("first").folder, cli.paths.case("mine").folder)
    text = refused(cli, 2, "mine", "--from", write(tmp_path / "r.csv", rows()))
    assert "models/mine: the name is taken, but use_cases in dvc.yaml does not have it" in text
    assert "Next:  make graph, then: tailtune check mine" in text
    assert "remove models/mine and data/mine" in text


def test_rows_of_no_use_case_are_not_touched_and_not_called_one(cli: Cli, tmp_path: Path) -> None:
    kept = write(cli.paths.data / "first" / "rows.csv", rows())
    (cli.paths.data / "mine").mkdir()
    shutil.copyfile(kept, cli.paths.data / "mine" / "rows.csv")
    text = refused(cli, 2, "mine", "--from", write(tmp_path / "r.csv", rows()))
    assert "move data/mine away, or choose another name" in text


def test_two_at_once_do_not_clear_each_other_away(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "r.csv", rows())
    with staging.alone(cli.paths):
        staging.build_in(cli.paths, "theirs")
        assert "another command writes to data/ or models/" in refused(cli, 1, "mine", "--from", source)
        assert CasePaths(cli.paths, ".new/theirs").data.is_dir()
    assert cli("new", "mine", "--from", source).code == 0


def test_rows_of_another_use_case_that_are_missing_are_not_dropped_from_the_pin(cli: Cli, tmp_path: Path) -> None:
    shutil.rmtree(cli.paths.data)
    text = refused(cli, 2, "mine", "--from", write(tmp_path / "r.csv", rows()))
    assert "data/: no rows of first; pinning data/ now would drop them from data.dvc" in text
    assert text.endswith("Next:  dvc pull data.dvc\n")


def test_a_failure_at_the_last_step_leaves_nothing_behind(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(paths: Paths) -> str:
        paths.data_dvc.write_text("torn", encoding="utf-8")
        raise ServiceError("DVC: broken", "mend it")

    monkeypatch.setattr(versions, "pin_data", broken)
    source = write(tmp_path / "r.csv", rows())
    assert "DVC: broken" in refused(cli, ServiceError.exit_code, "mine", "--from", source)
    cli.paths.data_dvc.unlink()
    assert "DVC: broken" in refused(cli, ServiceError.exit_code, "mine", "--from", source), (
        "data.dvc was not there, and must not be"
    )


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_no_space_and_an_interrupt_leave_nothing_behind(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(source: Path, target: Path) -> None:
        target.write_text("half", encoding="utf-8")
        raise error

    source, before = write(tmp_path / "r.csv", rows()), tree(cli.paths.root)
    monkeypatch.setattr("tailtune.cli.new.shutil.copyfile", fail)
    result = cli("new", "mine", "--from", source)
    assert tree(cli.paths.root) == before
    assert not cli.paths.case("mine").data.exists()
    if isinstance(error, OSError):
        assert result.code == 1
        assert "No space left on device" in result.err
        assert result.err.endswith("Next:  make room, then run again\n")
    else:
        assert (result.code, "interrupted" in result.err) == (130, True)


def test_labels_that_yaml_could_read_as_something_else(cli: Cli, tmp_path: Path) -> None:
    odd = ["yes", "1", "a: b", 'say "hi"', "it's", "- dash", "#tag", "null", "1.5", "ünï", "日本", "a\nb",
           "back\\slash", "{x}", "~", "2026-01-01", "!tag", "&a", "emoji 🎉", "tab\there"]  # fmt: skip
    source = write(tmp_path / "r.jsonl", rows(1, odd))
    result = cli("new", "odd", "--from", source)
    assert result.code == 0
    assert set(load_use_case(cli.paths, "odd").answers.names) == {" ".join(label.split()) for label in odd}
    assert cli("check", "odd").code == 0, "every row's label is in labels.yaml"


def test_numbers_and_truth_values_as_labels(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "r.jsonl"
    source.write_text(
        "".join(json.dumps({"text": f"t{i}", "label": i % 2 == 0 if i < 4 else i % 3}) + "\n" for i in range(9))
    )
    assert cli("new", "numbers", "--from", source).code == 0
    assert set(load_use_case(cli.paths, "numbers").answers.names) == {"True", "False", "0", "1", "2"}
    assert cli("check", "numbers").code == 0


@settings(max_examples=200, deadline=None)
@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool), min_size=2))
def test_any_label_comes_back_from_yaml(tmp_path_factory: pytest.TempPathFactory, labels: set[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.yaml"
    path.write_text(labels_yaml(sorted(labels)), encoding="utf-8")
    assert set(LinedYaml(path, "labels.yaml", "").value) == labels


def test_rejected_rows_are_counted_before_anything_is_written(cli: Cli, tmp_path: Path) -> None:
    marked = [{**row, "status": "discarded" if at < 2 else "submitted"} for at, row in enumerate(rows(4))]
    source, test = write(tmp_path / "a.csv", marked), write(tmp_path / "b.csv", marked[:4])
    out = cli("new", "mine", "--from", source, "--test", test).out
    assert "a.csv: 2 rows are marked as rejected and dropped (status: discarded 2)" in out
    assert "b.csv: 2 rows are marked as rejected and dropped (status: discarded 2)" in out
    assert "12 rows, pinned by data.dvc" in out
    write(source, marked[:2])
    text = refused(cli, 1, "other", "--from", source)
    assert "found 0: none" in text and "2 rows are marked as rejected" in text


def test_a_declaration_that_cannot_be_read_back_is_about_the_file_it_comes_from(cli: Cli, tmp_path: Path) -> None:
    source = write(tmp_path / "two\nlines.csv", rows(4))
    text = refused(cli, 1, "mine", "--from", source)
    assert "would make models/mine/model.yaml:6  data.file: expected a file of data/" in text
    assert ".new" not in text and text.splitlines()[-1].startswith("Next:  rename the file or correct it")
