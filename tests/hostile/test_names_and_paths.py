"""What is given as a name is no path, and a use case reads its own rows only."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import NAME, make, respec

from tailtune.cli import main
from tailtune.config.paths import Paths
from tailtune.core.errors import SpecError, UsageError
from tailtune.tasks.use_case import load_use_case

NO_NAMES = [
    f"{NAME}/",
    f"./{NAME}",
    f"../models/{NAME}",
    f"{NAME}/../{NAME}",
    f"{NAME}/.",
    f"//{NAME}",
    f" {NAME}",
    f"{NAME} ",
    f"{NAME}\n",
    f"{NAME}\x00",
    ".",
    "..",
    "",
    ".new",
    "-",
    "~",
    "*",
    f"{NAME};id",
    "$HOME",
    "${key}",
    f"{NAME}@champion",
    f"{NAME}:1",
    f"{NAME}'",
    "x" * 500,
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return make(tmp_path_factory.mktemp("names") / "project")


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_path_is_no_name(paths: Paths, name: str) -> None:
    with pytest.raises(UsageError, match="expected a use case, by its name") as refused:
        load_use_case(paths, name)
    assert refused.value.hint == "tailtune list" and len(refused.value.message) < 250
    with pytest.raises(UsageError):
        paths.case(name)


@pytest.mark.parametrize("name", [NAME, "Big_Case", "v1.2", "élan", "7"])
def test_a_folder_that_people_made_by_hand_may_have_any_plain_name(paths: Paths, name: str) -> None:
    assert paths.case(name).folder == paths.models / name


@pytest.mark.parametrize("verb", ["check", "run", "show", "prompts", "verdict", "cost", "curate", "prompt", "register"])
def test_every_verb_refuses_a_path(
    paths: Paths, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILTUNE_ROOT", str(paths.root))
    for name in (f"{NAME}/", f"../models/{NAME}"):
        assert main([verb, name]) == 2
        assert "expected a use case, by its name" in capsys.readouterr().err


@pytest.mark.parametrize("name", [f"{NAME}/@champion", f"./{NAME}@1", f"../models/{NAME}@champion"])
def test_reproduce_refuses_a_path(
    paths: Paths, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILTUNE_ROOT", str(paths.root))
    assert main(["reproduce", name]) == 2
    assert "expected a use case, by its name" in capsys.readouterr().err


OUTSIDE = ["/etc/passwd", "../other/rows.csv", "a/../../b.csv", "..", "", " ", "a\x00.csv", "a\nb.csv"]


@pytest.mark.parametrize("file", OUTSIDE)
@pytest.mark.parametrize("key", ["file", "test_file"])
def test_rows_outside_of_the_use_case_are_a_fault_of_the_spec(tmp_path: Path, key: str, file: str) -> None:
    paths = make(tmp_path / "project")
    respec(paths, {"data": {"file": "rows.jsonl", key: file}})
    with pytest.raises(SpecError, match=rf"data\.{key}: expected a file of data/<use-case>/"):
        load_use_case(paths, NAME)


def linked(paths: Paths, kind: str) -> None:
    """Bring the rows into the use case's folder by a link."""
    rows, away = paths.case(NAME).data, paths.root.parent / "away"
    away.mkdir()
    (away / "rows.jsonl").write_text('{"text": "my card is gone", "label": "card_lost"}\n')
    rows.parent.mkdir(exist_ok=True)
    if kind == "folder":
        rows.symlink_to(away, target_is_directory=True)
        return
    rows.mkdir()
    if kind == "file":
        (rows / "rows.jsonl").symlink_to(away / "rows.jsonl")
    elif kind == "neighbour":
        (rows.parent / "other").mkdir()
        (away / "rows.jsonl").rename(rows.parent / "other" / "rows.jsonl")
        (rows / "rows.jsonl").symlink_to(Path("..") / "other" / "rows.jsonl")
    elif kind == "chain":
        (rows / "first").symlink_to(away / "rows.jsonl")
        (rows / "rows.jsonl").symlink_to("first")


@pytest.mark.parametrize("kind", ["folder", "file", "neighbour", "chain"])
def test_rows_behind_a_link_are_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = make(tmp_path / "project")
    linked(paths, kind)
    monkeypatch.setenv("TAILTUNE_ROOT", str(paths.root))
    for verb in ("check", "curate"):
        assert main([verb, NAME]) == 2
        assert f"data/{NAME}/rows.jsonl: leads to" in capsys.readouterr().err


def test_links_that_dvc_makes_and_links_within_are_the_file_itself(tmp_path: Path) -> None:
    paths = make(tmp_path / "project")
    rows, cache = paths.case(NAME).data, tmp_path / "cache" / "files" / "md5" / "0a"
    cache.mkdir(parents=True)
    rows.mkdir(parents=True)
    (cache / ("f" * 30)).write_text("{}\n")
    (rows / "rows.jsonl").symlink_to(cache / ("f" * 30))
    (rows / "within.jsonl").symlink_to("plain.jsonl")
    for file in ("rows.jsonl", "within.jsonl", "plain.jsonl", "sub/rows.jsonl"):
        assert paths.case(NAME).rows_file(file) == rows / file


@pytest.mark.parametrize(
    "model", ["a/b", "a:1", "", " ", ".", "..", "it's", 'a"b', "a\nb", "-x", "x-", "a" * 300, "a;b", "a@b"]
)
def test_a_name_that_mlflow_cannot_register_is_a_fault_of_the_spec(tmp_path: Path, model: str) -> None:
    paths = make(tmp_path / "project")
    respec(paths, {"register": {"model": model}})
    with pytest.raises(SpecError, match=r"register\.model: expected letters, digits"):
        load_use_case(paths, NAME)


@pytest.mark.parametrize("model", ["tickets", "Support tickets", "team.tickets_v2", "7", None])
def test_usual_names_of_registered_models_pass(tmp_path: Path, model: str | None) -> None:
    paths = make(tmp_path / "project")
    respec(paths, {"register": {"model": model}})
    assert load_use_case(paths, NAME).spec.register_.model == model
