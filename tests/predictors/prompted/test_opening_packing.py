"""A saved rung and its local model, laid together, answer wherever they lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from predictors.prompted.random_model import write_random_model
from predictors.prompted.scripted import CODEC, LABELS, SHOWING, SPEC
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import MissingInputError
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.opening import WEIGHTS, model_of, pack
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.weights import digest_of
from tailtune.tasks import saved as registry

LOCAL = LanguageModelSpec(name="tiny", folder="lm/tiny", context_tokens=2048, max_output_tokens=24)


def saved(folder: Path, spec: LanguageModelSpec) -> Path:
    """A rung held to its labels, as the stage saves it."""
    rung = Prompted("lm_zero_shot", SHOWING, CODEC, spec, NoExamples())
    folder.mkdir(parents=True)
    rung.constrained_to_schema().save(folder)
    registry.write_card(folder, registry.RUNG_KINDS["lm_constrained"], ())
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_random_model(tmp_path / "project" / "lm" / "tiny")
    return tmp_path / "project"


def test_it_answers_without_the_project(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung = saved(project / "build" / "lm_constrained", LOCAL)
    model = model_of(rung, project)
    assert model == project / "lm" / "tiny"
    digest = digest_of(model)
    (tmp_path / "scratch").mkdir()
    whole = pack(rung, model, tmp_path / "scratch")
    assert whole.name == rung.name
    assert not any(path.is_symlink() for path in whole.rglob("*")), "MLflow refuses to store one"
    copied = Path(shutil.copytree(whole, tmp_path / "elsewhere" / "predictor"))
    shutil.rmtree(project)
    assert digest_of(copied / WEIGHTS) == digest
    monkeypatch.chdir(tmp_path)
    (answer,) = registry.load(Path("elsewhere/predictor")).answer(["my card has not arrived"])
    assert answer.value in LABELS
    assert model_of(copied, project) == copied / WEIGHTS


def test_where_no_link_can_be_made_the_bytes_are_copied(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    model = project / "lm" / "tiny"
    whole = pack(saved(project / "build" / "rung", LOCAL), model, tmp_path)
    assert digest_of(whole / WEIGHTS) == digest_of(model)


def test_only_what_runs_no_code_is_taken(project: Path, tmp_path: Path) -> None:
    rung, model = saved(project / "build" / "rung", LOCAL), project / "lm" / "tiny"
    for name in ("pytorch_model.bin", "modeling.py", "notes.txt"):
        (model / name).write_text("x", encoding="utf-8")
    whole = pack(rung, model, tmp_path)
    taken = {path.name for path in (whole / WEIGHTS).iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= taken
    assert not taken & {"pytorch_model.bin", "modeling.py", "notes.txt"}
    (model / "model.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"weights only as pytorch_model.bin, which run code when read"):
        pack(rung, model, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_an_endpoint_brings_nothing(tmp_path: Path) -> None:
    assert model_of(saved(tmp_path / "rung", SPEC), tmp_path) is None


def test_a_rung_that_is_not_packed_names_its_folder_as_declared(project: Path) -> None:
    rung = saved(project / "build" / "rung", LOCAL)
    assert json.loads((rung / "prompt.json").read_text(encoding="utf-8"))["spec"]["folder"] == "lm/tiny"
    loaded = registry.load(rung)
    assert isinstance(loaded, Prompted) and loaded.spec.folder == "lm/tiny"
