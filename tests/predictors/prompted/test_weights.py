"""Models are told apart wherever they lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from predictors.prompted.random_model import write_random_model
from tailtune.predictors.prompted import weights as room
from tailtune.predictors.prompted.weights import bytes_of, digest_of, files_of

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_random_model(tmp_path / "project" / "lm" / "tiny")


def config(model: Path, **changes: object) -> None:
    content = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps(content | changes), encoding="utf-8")


def test_the_digest_is_that_of_the_content(model: Path, tmp_path: Path) -> None:
    first = digest_of(model)
    assert len(first) == 64
    elsewhere = Path(shutil.copytree(model, tmp_path / "elsewhere"))
    assert digest_of(elsewhere) == first
    (elsewhere / "notes.txt").write_text("nothing that shapes an answer", encoding="utf-8")
    assert digest_of(elsewhere) == first
    config(elsewhere, rms_norm_eps=1e-3)
    assert digest_of(elsewhere) != first


@pytest.mark.parametrize("whole_bytes", [64 << 20, 64 << 10])
def test_weights_of_the_same_size_have_another_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_bytes: int
) -> None:
    monkeypatch.setattr(room, "_WHOLE_BYTES", whole_bytes)
    one, two = (write_random_model(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert (one / WEIGHTS).stat().st_size == (two / WEIGHTS).stat().st_size
    assert (one / WEIGHTS).stat().st_size > 64 << 10
    assert digest_of(one) != digest_of(two)
    assert digest_of(one) == digest_of(one)


def test_a_model_is_its_config_tokenizer_and_safetensors(model: Path) -> None:
    size = bytes_of(model)
    for name in ("pytorch_model.bin", "modeling.py"):
        (model / name).write_text("x" * 1000, encoding="utf-8")
    names = {path.name for path in files_of(model)}
    assert {"config.json", "tokenizer.json", WEIGHTS} <= names
    assert not names & {"pytorch_model.bin", "modeling.py"}
    assert bytes_of(model) == size > (model / WEIGHTS).stat().st_size
