"""What a word looks like to the linear heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tailtune.tasks.extraction.rungs.token_probe import LAYERS, FrozenStates
from tailtune.tasks.extraction.windows import KINDS, kind_of
from tasks.extraction.heads_of import plain_states


def test_a_state_ends_with_how_the_word_is_written(tiny_encoder: Path) -> None:
    states = FrozenStates.frozen(tiny_encoder)
    words = ["Ada", "paid", "USD", "12"]
    with torch.inference_mode():
        (found,) = states.of(states.windows([" ".join(words)]))
    assert found.shape == (5, 32 + KINDS)
    assert states.width == 32 + KINDS
    assert found[1:, 32:].argmax(axis=1).tolist() == [kind_of(word) for word in words]
    assert found[:, 32:].sum(axis=1).tolist() == [1.0] * 5


def test_only_the_lower_layers_run(tiny_encoder: Path) -> None:
    """The tiny encoder has two layers, fewer than are used: its states are those of the whole encoder."""
    assert LAYERS >= 2
    frozen, whole = FrozenStates.frozen(tiny_encoder), plain_states(tiny_encoder, "auto")
    rows = frozen.windows(["Ada paid twice"])
    with torch.inference_mode():
        assert np.array_equal(frozen.of(rows)[0][:, :32], whole.of(rows)[0])
