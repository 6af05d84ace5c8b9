"""A tiny BERT with random weights and the real tokenizer: everything the engine needs, in milliseconds."""

from pathlib import Path

import pytest
import torch
from predictors.tiny import write_tiny_encoder

from tailtune.predictors.encoder import has_fast_bf16
from tailtune.stages.train import loop


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))


@pytest.fixture(autouse=True)
def the_same_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal runs are equal to the bit: threads stay as many as they are, as the command line has it, and the precision
    is what the processor has, not what a timing beside other tests finds."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(loop, "pick_dtype", lambda device: torch.bfloat16 if has_fast_bf16() else torch.float32)
