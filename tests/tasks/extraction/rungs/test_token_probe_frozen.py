"""What a word looks like to the linear heads."""

from __future__ import annotations

from pathlib import Path

import torch

from tailtune.tasks.extraction.rungs.token_probe import LAYERS, FrozenStates
from tailtune.tasks.extraction.windows import KINDS, kind_of, pack
from tasks.extraction.heads_of import plain_states


def test_a_state_ends_with_how_the_word_is_written(tiny_encoder: Path) -> None:
    states = FrozenStates.frozen(tiny_encoder)
    words = ["Ada", "paid", "USD", "12"]
    packed = pack(states.windows([" ".join(words)]))
    with torch.inference_mode():
        found = states.of(packed)
    assert found.shape == (1, 5, 32 + KINDS)
    assert states.width == 32 + KINDS
    assert found[0, 1:, 32:].argmax(dim=1).tolist() == [kind_of(word) for word in words]
    assert found[0, :, 32:].sum(dim=1).tolist() == [1.0] * 5


def test_only_the_lower_layers_run(tiny_encoder: Path) -> None:
    """The tiny encoder has two layers, fewer than are used: its states are those of the whole encoder."""
    assert LAYERS >= 2
    frozen, whole = FrozenStates.frozen(tiny_encoder), plain_states(tiny_encoder, "auto")
    packed = pack(frozen.windows(["Ada paid twice"]))
    with torch.inference_mode():
        assert torch.equal(frozen.of(packed)[:, :, :32], whole.of(packed))
