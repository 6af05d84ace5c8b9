import torch

from tailtune.training.model import pick_device, pick_dtype


def test_a_choice_is_made_and_without_fast_bf16_it_is_float32(monkeypatch) -> None:
    assert pick_device() in ("cpu", "cuda")
    assert pick_dtype("cpu") in (torch.float32, torch.bfloat16)
    monkeypatch.setattr("tailtune.training.model.has_fast_bf16", lambda: False)
    assert pick_dtype("cpu") is torch.float32
