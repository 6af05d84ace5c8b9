"""An exported encoder: a row alone as among others, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tailtune.core.errors import MissingInputError
from tailtune.predictors.bert import load_bert
from tailtune.predictors.encoder import EXPORTED, Encoder
from tailtune.predictors.onnx import OnnxStack
from tailtune.predictors.onnx_graph import Source, export

TEXTS = ["my card has not arrived", "", "refund?", "word " * 90, "charged twice in one day"] * 20


@pytest.fixture(scope="module")
def exported(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(Source(load_bert(tiny_encoder, torch.float32), tiny_encoder), folder, "int8")
    return folder


def test_a_text_alone_has_the_vector_it_has_among_others(exported: Path) -> None:
    encoder = Encoder.load(exported)
    among = encoder.embed(TEXTS)
    assert among.shape == (100, 32)
    assert np.allclose(np.linalg.norm(among, axis=1), 1, atol=1e-5)
    for place in range(5):
        assert np.array_equal(encoder.embed([TEXTS[place]])[0], among[place])
    assert encoder.embed([]).shape == (0, 32)


def test_it_knows_how_much_it_can_read(exported: Path) -> None:
    stack = OnnxStack(exported / EXPORTED)
    assert (stack.width, stack.max_positions) == (32, 64)


@pytest.mark.parametrize("damage", ["cut", "empty", "other bytes", "another model"])
def test_a_damaged_file_is_named_with_the_next_command(exported: Path, tmp_path: Path, damage: str) -> None:
    whole = (exported / EXPORTED).read_bytes()
    file = tmp_path / EXPORTED
    file.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "other bytes": b"\x00\xff" * 500}.get(damage, whole)
    )
    if damage == "another model":
        import onnx

        model = onnx.load(file)
        del model.metadata_props[:]
        onnx.save(model, file)
    with pytest.raises(MissingInputError, match=r"encoder\.onnx: ") as caught:
        OnnxStack(file)
    assert caught.value.hint == "tailtune run <use-case>"
