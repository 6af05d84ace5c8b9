from pathlib import Path

import pytest
import torch
from transformers import BertModel

from tailtune.predictors.bert import Linear, load_bert, mean_pool
from tailtune.predictors.encoder import Tokens
from tailtune.predictors.reading import encoder_path
from tailtune.predictors.torch_encoder import pad

TEXTS = ["charged twice", "my card has not arrived yet and I have been waiting for two weeks now", "", "refund?"]


def reference(folder: Path, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    model = BertModel.from_pretrained(folder, add_pooling_layer=True).eval()
    with torch.no_grad():
        return model(ids, attention_mask=None if mask is None else mask.long()).last_hidden_state


def test_same_vectors_as_transformers_on_the_embedded_encoder_with_padding() -> None:
    folder = encoder_path()
    ids, mask = pad(Tokens(folder, 128)(TEXTS))
    assert mask is not None
    mine = mean_pool(load_bert(folder, torch.float32)(ids, mask), mask)
    assert torch.allclose(mine, mean_pool(reference(folder, ids, mask), mask), atol=2e-6)


def test_same_hidden_states_as_transformers_without_padding(tiny_encoder: Path) -> None:
    ids = torch.tensor([[101, 2000, 102], [101, 3000, 102]])
    mine = load_bert(tiny_encoder, torch.float32)(ids, None)
    assert torch.allclose(mine, reference(tiny_encoder, ids, None), atol=1e-6)


def test_what_is_added_is_normalised_with_the_embeddings(tiny_encoder: Path) -> None:
    ids, bert = torch.tensor([[101, 2000, 102]]), load_bert(tiny_encoder, torch.float32)
    assert torch.equal(bert(ids, None, torch.zeros(1, 3, 32)), bert(ids, None))
    moved = bert.embeddings(ids, torch.full((1, 3, 32), 7.0))
    assert torch.allclose(moved, bert.embeddings(ids), atol=1e-5), "a constant is what the norm takes out"
    assert not torch.allclose(bert(ids, None, torch.eye(3, 32)[None]), bert(ids, None), atol=1e-2)


def test_a_delta_changes_the_named_weight_only(tiny_encoder: Path) -> None:
    module = "encoder.layer.1.attention.self.key"
    plain = load_bert(tiny_encoder, torch.float32)
    changed = load_bert(tiny_encoder, torch.float32, {module: torch.full((32, 32), 0.5)})
    difference = changed.layers[1].qkv.weight - plain.layers[1].qkv.weight
    assert torch.allclose(difference[32:64], torch.tensor(0.5))
    assert difference[:32].abs().max() == 0 and difference[64:].abs().max() == 0


def test_a_delta_for_no_layer_is_refused(tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match=r"encoder\.layer\.9"):
        load_bert(tiny_encoder, torch.float32, {"encoder.layer.9.output.dense": torch.zeros(32, 64)})


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "hidden_act": "gelu"}')
    with pytest.raises(ValueError, match="roberta"):
        load_bert(tmp_path, torch.float32)


def test_packed_and_plain_maps_agree_forth_and_back() -> None:
    """Both layouts, both ways, with and without a batch axis; where there is no oneDNN the plain one answers."""
    random = torch.Generator().manual_seed(8)
    weight, bias = torch.randn(24, 40, generator=random), torch.randn(24, generator=random)
    plain, packed = Linear(weight, bias), Linear.packed(weight, bias).for_training()
    for shape in ((1, 40), (70, 40), (3, 5, 40)):
        x = torch.randn(shape, generator=random)
        assert torch.allclose(packed(x), x @ weight.t() + bias, atol=1e-4)
        assert torch.allclose(plain(x), packed(x), atol=1e-4)
    grad = torch.randn(7, 24, generator=random)
    assert torch.allclose(packed.gradient(grad), grad @ weight, atol=1e-4)
    assert torch.allclose(plain.gradient(grad), grad @ weight, atol=1e-4)


def test_a_packed_map_lets_gradients_through() -> None:
    packed = Linear.packed(torch.ones(2, 3), torch.zeros(2))
    x = torch.ones(4, 3, requires_grad=True)
    packed(x).sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.full((4, 3), 2.0))
