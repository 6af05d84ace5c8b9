"""What makes a flow run a stage that DVC calls fresh."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model
from project import NAME, make, respec

from tailtune.config.paths import Paths
from tailtune.core.reports import PromptReport
from tailtune.lifecycle import freshness
from tailtune.predictors.prompted.weights import digest_of
from tailtune.services import store

FOLDER = "lm/tiny"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project whose prompts were measured with a model in a folder."""
    made = make(tmp_path / "project", {"prompt": {"models": [{"name": "tiny", "folder": FOLDER}]}})
    digest = digest_of(write_random_model(made.root / FOLDER))
    store.write_report(made.case(NAME).report("prompt"), PromptReport(
        use_case=NAME, stage="prompt", weights={"tiny": digest}
    ))  # fmt: skip
    return made


def test_the_weights_that_were_measured_are_fresh(paths: Paths) -> None:
    assert not freshness.has_other_weights(paths, NAME)


def test_other_weights_and_none_are_measured_again(paths: Paths) -> None:
    write_random_model(paths.root / FOLDER, seed=6)
    assert freshness.has_other_weights(paths, NAME)
    shutil.rmtree(paths.root / FOLDER)
    assert freshness.has_other_weights(paths, NAME)


def test_weights_on_another_disk_are_looked_for_there(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk" / "lm").mkdir(parents=True)
    shutil.move(paths.root / FOLDER, tmp_path / "disk" / FOLDER)
    monkeypatch.setenv("TAILTUNE_WEIGHTS", str(tmp_path / "disk"))
    assert not freshness.has_other_weights(paths, NAME)


def test_without_a_report_that_can_be_read_dvc_alone_decides(paths: Paths) -> None:
    shutil.rmtree(paths.root / FOLDER)
    paths.case(NAME).report("prompt").write_text("{}", encoding="utf-8")
    assert not freshness.has_other_weights(paths, NAME)
    paths.case(NAME).report("prompt").unlink()
    assert not freshness.has_other_weights(paths, NAME)


@pytest.mark.parametrize(("best", "again"), [("majority", True), ("blank", True), ("probe", False)])
def test_a_ticket_that_names_what_ignores_the_text_is_decided_again(paths: Paths, best: str, again: bool) -> None:
    folder = paths.case(NAME).stage("decide")
    folder.mkdir(parents=True)
    store.write_json(folder / "ticket.json", {"train": False, "best_rung": best, "rows_digest": "0"})
    assert bool(freshness.hidden_change(paths, "decide", NAME)) is again


def test_a_torn_ticket_is_left_to_dvc(paths: Paths) -> None:
    folder = paths.case(NAME).stage("decide")
    folder.mkdir(parents=True)
    (folder / "ticket.json").write_text("{", encoding="utf-8")
    assert not freshness.hidden_change(paths, "decide", NAME)


def test_a_model_that_was_not_there_when_prompts_were_measured_is_asked(paths: Paths) -> None:
    path = paths.case(NAME).report("prompt")
    for models, missing, again in ({"tiny": "base"}, (), False), ({}, (), True), ({"tiny": "base"}, ("tiny",), True):
        report = PromptReport.model_validate(
            {"use_case": NAME, "stage": "prompt", "models": models, "missing": missing}
        )
        store.write_report(path, report)
        assert freshness.has_other_models(paths, NAME) is again
    respec(paths, {})  # the embedded model, which is not installed here
    assert not freshness.has_other_models(paths, NAME)
