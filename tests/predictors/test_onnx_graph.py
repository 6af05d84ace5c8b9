"""The graph against transformers, and files that are the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import BertModel

from tailtune.predictors.bert import load_bert
from tailtune.predictors.encoder import EXPORTED
from tailtune.predictors.onnx import OnnxStack
from tailtune.predictors.onnx_graph import WEIGHTS, Source, Weights, export

ROWS = [[101, 2000, 3000, 2001, 102], [101, 102], list(range(1000, 1064))]
KINDS = [[0, 1, 2, 3, 0], [0, 0], [at % 8 for at in range(64)]]


def source_of(encoder: Path, kinds: np.ndarray | None = None) -> Source:
    return Source(load_bert(encoder, torch.float32), encoder, kinds)


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(8, 32)).astype(np.float32)


def test_states_are_those_of_transformers(tiny_encoder: Path, tmp_path: Path) -> None:
    export(source_of(tiny_encoder), tmp_path, "fp32")
    model = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False).eval()
    for ids, found in zip(ROWS, OnnxStack(tmp_path / EXPORTED).hidden(ROWS), strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        assert found.shape == (len(ids), 32) and found.dtype == np.float32
        assert np.allclose(found, expected, atol=1e-5)


def test_how_words_are_written_is_added_to_the_embeddings(
    tiny_encoder: Path, tmp_path: Path, table: np.ndarray
) -> None:
    export(source_of(tiny_encoder, table), tmp_path, "fp32")
    model = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False).eval()
    for ids, kinds, found in zip(ROWS, KINDS, OnnxStack(tmp_path / EXPORTED).hidden(ROWS, KINDS), strict=True):
        with torch.no_grad():
            words = model.embeddings.word_embeddings(torch.tensor([ids])) + torch.from_numpy(table[kinds])[None]
            expected = model(inputs_embeds=words).last_hidden_state[0].numpy()
        assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_two_exports_are_equal_and_say_nothing_of_where_they_were_made(
    tiny_encoder: Path, tmp_path: Path, table: np.ndarray, weights: Weights
) -> None:
    for name in ("first", "second"):
        export(source_of(tiny_encoder, table), tmp_path / name, weights)
        assert sorted(file.name for file in (tmp_path / name).iterdir()) == [EXPORTED, "tokenizer.json"]
    first, second = ((tmp_path / name / EXPORTED).read_bytes() for name in ("first", "second"))
    assert first == second
    assert not [
        part for part in (str(tmp_path), str(Path(__file__).parents[2]), "/home", "/tmp") if part.encode() in first
    ]


def test_the_fewer_products_have_int8_weights_the_nearer_are_the_states(tiny_encoder: Path, tmp_path: Path) -> None:
    apart, products = [], []
    for weights in WEIGHTS:
        export(source_of(tiny_encoder), tmp_path / weights, weights)
        kinds = [node.op_type for node in onnx.load(tmp_path / weights / EXPORTED).graph.node]
        products.append(kinds.count("MatMulInteger"))
    exact = OnnxStack(tmp_path / "fp32" / EXPORTED).hidden(ROWS)
    for weights in WEIGHTS:
        found = OnnxStack(tmp_path / weights / EXPORTED).hidden(ROWS)
        apart.append(max(float(np.abs(one - other).max()) for one, other in zip(found, exact, strict=True)))
    assert products == [8, 6, 0], "four a layer; the feed-forward's second is left in float32"
    assert 0.2 > apart[0] > 0 and 0.2 > apart[1] > 0 and apart[2] == 0
