"""The lean forward and backward against peft's own modules."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import mean_pool
from tailtune.tasks.classification.objective import sentence_vectors
from tailtune.training.model import AdaptedEncoder, LoraShape

IDS = torch.tensor([[101, 2000, 2001, 2002, 102], [101, 3000, 102, 0, 0], [101, 2500, 2600, 102, 0]])
MASK = IDS != 0


def build(encoder: Path, modules: tuple[str, ...], dropout: float = 0.0) -> AdaptedEncoder:
    torch.manual_seed(5)
    model = AdaptedEncoder(encoder, LoraShape(4, 8, dropout, modules), torch.float32, "cpu")
    with torch.no_grad():
        model.adapter.add_(0.1 * torch.randn_like(model.adapter))  # lora_B starts at 0 and would hide faults
    return model


def by_peft(model: AdaptedEncoder) -> torch.Tensor:
    model.peft.eval()
    hidden = model.peft(input_ids=IDS, attention_mask=MASK.long()).last_hidden_state
    return functional.normalize(mean_pool(hidden, MASK), dim=1)


def peft_gradients(model: AdaptedEncoder) -> dict[int, torch.Tensor]:
    """Gradients by the address of the weight, which is a view of the flat vector."""
    return {p.data_ptr(): p.grad.flatten() for p in model.peft.parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "modules", [("query", "key", "value", "dense"), ("query", "value"), ("key",), ("dense",), ("output.dense",)]
)
def test_forward_and_gradients_equal_pefts(tiny_encoder: Path, modules: tuple[str, ...]) -> None:
    model = build(tiny_encoder, modules)
    mine, theirs = sentence_vectors(model, IDS, MASK, training=True), by_peft(model)
    assert torch.allclose(mine, theirs, atol=1e-6)
    upstream = torch.randn(mine.shape, generator=torch.Generator().manual_seed(1))
    mine.backward(upstream)
    theirs.backward(upstream)
    flat = model.adapter.grad
    assert flat is not None and flat.abs().max() > 1e-3
    start, seen = model.adapter.data_ptr(), 0
    for address, gradient in peft_gradients(model).items():
        at = (address - start) // 4
        assert torch.allclose(flat[at : at + len(gradient)], gradient, atol=1e-6)
        seen += len(gradient)
    assert seen == len(flat)


def test_dropout_perturbs_training_only_and_is_right_on_average(tiny_encoder: Path) -> None:
    model = build(tiny_encoder, ("query", "key", "value", "dense"), dropout=0.2)
    with torch.no_grad():
        exact = sentence_vectors(model, IDS, MASK)
        assert torch.equal(exact, sentence_vectors(model, IDS, MASK))
        samples = torch.stack([sentence_vectors(model, IDS, MASK, training=True) for _ in range(200)])
    assert (samples[0] - exact).abs().max() > 1e-4
    assert functional.cosine_similarity(samples.mean(dim=0), exact).min() > 0.99


def test_modules_that_the_encoder_lacks_are_refused(tiny_encoder: Path) -> None:
    with pytest.raises((TrainingError, ValueError), match="nothing_like_it"):
        build(tiny_encoder, ("nothing_like_it",))


def test_what_is_added_to_embeddings_and_its_gradient_equal_pefts(tiny_encoder: Path) -> None:
    model = build(tiny_encoder, ("query", "key", "value", "dense"))
    model.peft.eval()
    words = model.peft.get_base_model().embeddings.word_embeddings.weight.detach()
    mine, theirs = (
        torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(2)).requires_grad_() for _ in range(2)
    )
    ours = model.hidden(IDS, MASK, mine)[MASK]
    pefts = model.peft(inputs_embeds=words[IDS] + theirs, attention_mask=MASK.long()).last_hidden_state[MASK]
    assert torch.allclose(ours, pefts, atol=1e-5)
    assert not torch.allclose(ours, model.hidden(IDS, MASK)[MASK], atol=1e-2)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    ours.backward(upstream)
    pefts.backward(upstream)
    assert mine.grad is not None and theirs.grad is not None
    assert torch.allclose(mine.grad[MASK], theirs.grad[MASK], atol=1e-5)
