"""Weights that are not those that were measured are found out, and brought together where they are needed again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model
from project import NAME, context, make, respec

from tailtune.config.paths import Paths
from tailtune.config.prompting import PromptSpec
from tailtune.core.errors import MissingInputError, ServiceError
from tailtune.core.reports import PromptReport
from tailtune.lifecycle import language_models
from tailtune.predictors.prompted.weights import holds
from tailtune.services import store
from tailtune.tasks.use_case import load_use_case

FOLDER = "lm/tiny"
BASE = {"name": "tiny", "folder": FOLDER}
AFAR = {"name": "far", "role": "strong", "endpoint": "http://127.0.0.1:9/v1"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project whose prompts were measured with one model in a folder and one at an endpoint."""
    made = make(tmp_path / "project", {"prompt": {"models": [BASE, AFAR]}})
    write_random_model(made.root / FOLDER)
    report = PromptReport(use_case=NAME, stage="prompt", weights=language_models.weight_digests(context(made)))
    store.write_report(made.case(NAME).report("prompt"), report)
    return made


def noted(paths: Paths) -> dict[str, str]:
    return store.read_report(paths.case(NAME).report("prompt"), PromptReport, NAME).weights


def test_only_models_in_a_folder_are_noted(paths: Paths) -> None:
    assert list(noted(paths)) == ["tiny"]
    assert len(noted(paths)["tiny"]) == 64


def test_the_same_weights_pass_wherever_they_lie(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    language_models.require_unchanged_weights(context(paths))
    (tmp_path / "disk" / "lm").mkdir(parents=True)
    shutil.move(paths.root / FOLDER, tmp_path / "disk" / "lm")
    with pytest.raises(MissingInputError):
        language_models.require_unchanged_weights(context(paths))
    monkeypatch.setenv("TAILTUNE_WEIGHTS", str(tmp_path / "disk"))
    language_models.require_unchanged_weights(context(paths))


@pytest.mark.parametrize(("gone", "state"), [(False, "changed"), (True, "are gone")])
def test_other_weights_are_refused_with_what_to_run(paths: Paths, gone: bool, state: str) -> None:
    shutil.rmtree(paths.root / FOLDER)
    if not gone:
        write_random_model(paths.root / FOLDER, seed=6)
    with pytest.raises(MissingInputError, match=f"^lm/tiny: the weights of tiny {state} since the prompts") as caught:
        language_models.require_unchanged_weights(context(paths))
    assert caught.value.hint == f"tailtune run {NAME}"


def test_what_was_not_measured_is_not_asked_for(paths: Paths) -> None:
    """DVC sees another declaration by itself; without a report nothing can be stale."""
    respec(paths, {"prompt": {"models": [{"name": "other", "folder": "lm/other"}]}})
    language_models.require_unchanged_weights(context(paths))
    paths.case(NAME).report("prompt").unlink()
    language_models.require_unchanged_weights(context(paths))


class TestRestore:
    """What a version was measured with, for running its life again."""

    def declared(self, paths: Paths, folder: str = FOLDER) -> PromptSpec:
        respec(paths, {"prompt": {"models": [{**BASE, "folder": folder}, AFAR]}})
        return load_use_case(paths, NAME).spec.prompt

    def test_weights_that_are_still_here_are_used_as_they_lie(self, paths: Paths, tmp_path: Path) -> None:
        def never() -> Path | None:
            raise AssertionError("nothing need be fetched")

        found = language_models.restore_weights(
            self.declared(paths), noted(paths), paths.root, never, tmp_path / "into"
        )
        assert found == paths.root and not (tmp_path / "into").exists()

    def test_weights_that_are_gone_come_from_the_version(self, paths: Paths, tmp_path: Path) -> None:
        packed = Path(shutil.move(paths.root / FOLDER, tmp_path / "packed"))
        found = language_models.restore_weights(
            self.declared(paths), noted(paths), paths.root, lambda: packed, tmp_path / "into"
        )
        assert found == tmp_path / "into"
        assert holds(found / FOLDER, noted(paths)["tiny"])

    @pytest.mark.parametrize("packed", ["none", "other"])
    def test_weights_that_are_nowhere_are_told(self, paths: Paths, tmp_path: Path, packed: str) -> None:
        digests, spec = noted(paths), self.declared(paths)
        write_random_model(paths.root / FOLDER, seed=6)
        there = None if packed == "none" else paths.root / FOLDER
        with pytest.raises(ServiceError, match=r"^lm/tiny: not the weights of tiny that were measured") as caught:
            language_models.restore_weights(spec, digests, paths.root, lambda: there, tmp_path / "into")
        assert "put them back into lm/tiny" in str(caught.value.hint)

    def test_nothing_is_laid_outside_of_its_folder(self, paths: Paths, tmp_path: Path) -> None:
        spec, digests = self.declared(paths, "../outside"), noted(paths)
        with pytest.raises(ServiceError, match=r"^\.\./outside: "):
            language_models.restore_weights(spec, digests, paths.root, lambda: paths.root / FOLDER, tmp_path / "into")
        assert not (tmp_path / "outside").exists()


def test_a_folder_without_a_model_is_told_before_anything_is_asked(paths: Paths) -> None:
    (paths.root / FOLDER / "model.safetensors").unlink()
    with pytest.raises(MissingInputError, match="no weights; expected"):
        language_models.weight_digests(context(paths))
