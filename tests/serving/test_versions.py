"""Versions of any age answer side by side with the code that is installed; no code of theirs is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from predictors.prompted.scripted import CODEC, SHOWING
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.versions import MODEL, register
from tasks.classification import contract as classification
from worlds import stores

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import TailTuneError, UndeclaredEndpointError, UsageError
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import build
from tailtune.services.mlflow import Tracker, connect
from tailtune.serving.versions import load_version
from tailtune.tasks import saved

pytestmark = THIRD_PARTY


@pytest.fixture
def tracker(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    case = examples.make_case(tmp_path / "project")
    stores.give(tmp_path_factory, case.paths.project.mlflow_store)
    return connect(f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}", case)


def predictor(folder: Path, kind: str) -> Path:
    folder.mkdir()
    saved.RUNG_KINDS[kind].load_class().fit(classification.context()).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS[kind], ("email",))
    return folder


def test_versions_of_before_answer_side_by_side(tracker: Tracker, tmp_path: Path) -> None:
    rungs = [predictor(tmp_path / kind, kind) for kind in ("tfidf", "majority")]
    register(tracker, rungs[0], "champion", before=True)
    register(tracker, rungs[1], before=True)
    loaded = [load_version(MODEL, which, tracker.uri, tmp_path / "cache") for which in ("champion", "2")]
    for version, rung in zip(loaded, rungs, strict=True):
        assert version.scrub_pii == ("email",)
        expected = saved.load(rung).answer(["ask <email> for the card"])
        assert [answer.value for answer in version.answer(["ask  me@example.com for the card"])] == [
            answer.value for answer in expected
        ]


def test_a_checkout_knows_its_store_and_where_files_go(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tracker, predictor(tmp_path / "majority", "majority"), "champion")
    monkeypatch.setenv("TAILTUNE_ROOT", str(tracker.case.paths.project.root))
    assert load_version(MODEL).stored.version == "1"
    assert list((tracker.case.paths.project.fetched_versions / MODEL).glob("1-*/predictor.json"))


def test_a_version_that_is_not_there_is_named(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stored-tickets@champion: no such version"):
        load_version(MODEL, "@champion", tracker.uri, tmp_path / "cache")


def test_files_that_this_code_cannot_read_are_named(tracker: Tracker, tmp_path: Path) -> None:
    folder = predictor(tmp_path / "tfidf", "tfidf")
    for file in folder.iterdir():
        if file.name != saved.CARD:
            file.unlink()
    register(tracker, folder)
    with pytest.raises(TailTuneError, match="models:/stored-tickets/1: this code cannot load its files"):
        load_version(MODEL, "1", tracker.uri, tmp_path / "cache")


def test_an_endpoint_that_is_not_declared_here_is_not_asked(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = LanguageModelSpec(name="small", endpoint="https://elsewhere.example/v1", key_env="SECRET")
    rung = build("lm_zero_shot", {"zero_shot": SHOWING}, CODEC, classification.context(), open_model(spec), spec, 0)
    folder = tmp_path / "lm_zero_shot"
    folder.mkdir()
    rung.save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["lm_zero_shot"], ())
    register(tracker, folder)
    with pytest.raises(UndeclaredEndpointError, match=r"the value of SECRET to https://elsewhere.example/v1"):
        load_version(MODEL, "1", tracker.uri, tmp_path / "cache")
    monkeypatch.setenv("TAILTUNE_ENDPOINTS", "SECRET=https://elsewhere.example/v1")
    assert load_version(MODEL, "1", tracker.uri, tmp_path / "cache").predictor


def test_loading_imports_neither_mlflow_nor_torch(tracker: Tracker, tmp_path: Path) -> None:
    register(tracker, predictor(tmp_path / "tfidf", "tfidf"), "champion")
    script = """
import sys
from pathlib import Path
from tailtune.serving.versions import load_version
print(load_version("stored-tickets", "champion", sys.argv[1], Path(sys.argv[2])).answer(["my card is lost"])[0].value)
assert not {"mlflow", "torch", "transformers"} & sys.modules.keys()
"""
    words = [sys.executable, "-c", script, tracker.uri, str(tmp_path / "cache")]
    assert subprocess.run(words, env=os.environ, capture_output=True, check=True, text=True).stdout.strip()
