"""Only what runs no code is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import MissingInputError, TailTuneError
from tailtune.core.language import Ask, Message
from tailtune.predictors.prompted.local import LocalModel
from tailtune.predictors.prompted.local.model import load, require_model

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(random_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_model, tmp_path / "model"))


def remove(*names: str) -> Callable[[Path], None]:
    def doing(model: Path) -> None:
        for name in names:
            (model / name).unlink()

    return doing


def only_pickle(model: Path) -> None:
    (model / WEIGHTS).rename(model / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (shutil.rmtree, "no such folder"),
        (remove("config.json"), "config.json missing"),
        (remove(WEIGHTS), "no weights; expected *.safetensors"),
        (only_pickle, "weights only as pytorch_model.bin, which run code when read"),
        (remove("tokenizer.json"), "no tokenizer, expected tokenizer.json or tokenizer.model"),
    ],
)
def test_what_is_missing_is_told_with_the_folder(model: Path, spoil: Callable[[Path], None], expected: str) -> None:
    require_model(model)
    spoil(model)
    for reader in (require_model, load):
        with pytest.raises(MissingInputError) as caught:
            reader(model)
        assert expected in caught.value.message
        assert str(model) in caught.value.message
        assert caught.value.hint


def config(model: Path, **changed: object) -> None:
    content = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps(content | changed), encoding="utf-8")


def own_code(model: Path) -> None:
    """A model that brings its own Python."""
    config(model, model_type="mine", architectures=["Mine"], auto_map={"AutoModelForCausalLM": "mine.Mine"})
    (model / "mine.py").write_text("raise SystemExit('code of the folder ran')", encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        own_code,
        lambda model: config(model, model_type="t5"),
        lambda model: config(model, hidden_size=48),
        lambda model: (model / WEIGHTS).write_bytes(b"\x00" * 64),
        lambda model: (model / "config.json").write_text("{", encoding="utf-8"),
    ],
    ids=["own code", "no causal model", "other shapes", "broken weights", "broken config"],
)
def test_what_cannot_be_read_is_told_in_a_sentence(model: Path, spoil: Callable[[Path], None]) -> None:
    spoil(model)
    with pytest.raises(TailTuneError, match="not readable as a causal language model: ") as caught:
        load(model)
    assert caught.value.hint


def test_a_tokenizer_without_an_end_is_refused(model: Path) -> None:
    content = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    content.pop("eos_token")
    (model / "tokenizer_config.json").write_text(json.dumps(content), encoding="utf-8")
    config(model, eos_token_id=None)
    (model / "generation_config.json").unlink()
    with pytest.raises(TailTuneError, match="names no token that ends a text"):
        load(model)


def test_what_is_loaded_says_what_it_is(model: Path) -> None:
    config(model, max_position_embeddings=333, eos_token_id=[1, 5])
    loaded = load(model)
    assert loaded.ends == {1, 5}
    assert loaded.positions == 333
    assert not loaded.model.training


def test_habits_of_sampling_in_the_folder_do_not_shape_answers(model: Path) -> None:
    spec = LanguageModelSpec(name="tiny", folder=model.name, max_output_tokens=20)
    ask = Ask((Message("user", "which"),))
    (without,) = LocalModel(spec, model.parent).ask([ask])
    (model / "generation_config.json").write_text('{"repetition_penalty": 9.0, "eos_token_id": 1}', encoding="utf-8")
    (reply,) = LocalModel(spec, model.parent).ask([ask])
    assert reply.text == without.text
