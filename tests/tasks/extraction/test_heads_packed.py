from pathlib import Path

import torch

from tailtune.tasks.extraction.heads import pack
from tailtune.tasks.extraction.windows import Windows


def test_packed_states_are_those_of_the_words(tiny_encoder: Path) -> None:
    windows = Windows(tiny_encoder, 12, 4)
    rows = windows(["card fee", " ".join(["word"] * 30), ""])
    packed = pack(rows)
    assert packed.mask is not None and packed.ids.shape == packed.kinds.shape == packed.mask.shape
    number = torch.arange(packed.ids.numel()).view(*packed.ids.shape, 1).expand(-1, -1, 3)
    states = packed.states(number)
    assert states.shape == (3, 31, 3) and states.dtype == torch.float32
    assert packed.present.sum(dim=1).tolist() == [3, 31, 1]
    found = packed.ids.flatten()[states[:, :, 0].long()]
    assert found[:, 0].tolist() == [101, 101, 101]
    assert found[0, 1:3].tolist() == rows[0].ids[0][1:3]
    assert set(found[1, 1:].tolist()) == {rows[1].ids[0][1]}
