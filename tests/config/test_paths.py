"""Where everything lies, from any folder of a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.examples import project
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError


@pytest.fixture(autouse=True)
def no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILTUNE_ROOT", raising=False)


def test_the_root_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = project(tmp_path / "clone")
    deep = paths.models / "tickets" / "prompts"
    deep.mkdir()
    assert Paths.find(deep) == Paths.find(paths.root) == paths
    monkeypatch.chdir(deep)
    assert Paths.find() == paths


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = project(tmp_path / "here"), project(tmp_path / "there")
    monkeypatch.setenv("TAILTUNE_ROOT", str(there.root))
    assert Paths.find(here.root) == there


@pytest.mark.parametrize("missing", ["dvc.yaml", "models"])
def test_outside_a_project_the_next_step_is_told(tmp_path: Path, missing: str) -> None:
    paths = project(tmp_path)
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"not inside a TailTune project") as caught:
        Paths.find(paths.root)
    assert "TAILTUNE_ROOT" in str(caught.value.hint)


def test_paths_are_shown_relative_to_the_root(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert paths.shown(paths.case("a").report("train")) == "reports/a/train.json"
    assert paths.shown(Path("/elsewhere/x")) == "/elsewhere/x"


def test_use_cases_are_the_folders_with_a_spec(tmp_path: Path) -> None:
    paths = project(tmp_path)
    (paths.models / "no-spec").mkdir()
    for name in ("b-case", "a-case"):
        (paths.models / name).mkdir()
        (paths.models / name / "model.yaml").touch()
    assert paths.use_cases() == ["a-case", "b-case", "tickets"]


def test_derived_files_of_a_use_case_lie_under_its_own_build_folder(tmp_path: Path) -> None:
    case = Paths(tmp_path).case("a")
    derived = [case.stage("train"), case.rows("dev"), case.dropped, case.passed, case.docs, case.ticket, case.page]
    assert all(
        path.is_relative_to(tmp_path / "build" / "a")
        for path in [*derived, case.checkpoints, case.lock, case.life_lock]
    )
    outs = [case.stage(name) for name in ("curate", "validate", "ladder", "decide", "train", "evaluate", "register")]
    assert not any(case.checkpoints.is_relative_to(out) for out in outs), "DVC would remove checkpoints before a rerun"
