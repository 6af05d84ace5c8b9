"""Equal arithmetic for every training test."""

import pytest
import torch

from tailtune.predictors.torch_encoder import has_fast_bf16
from tailtune.training import loop


@pytest.fixture(autouse=True)
def the_same_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal runs are equal to the bit: threads stay as many as they are, as the command line has it, and the precision
    is what the processor has, not what a timing beside other tests finds."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(loop, "pick_dtype", lambda device: torch.bfloat16 if has_fast_bf16() else torch.float32)
