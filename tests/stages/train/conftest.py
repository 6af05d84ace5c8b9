"""A tiny BERT with random weights and the real tokenizer: everything the engine needs, in milliseconds."""

from pathlib import Path

import pytest
from predictors.tiny import write_tiny_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))


@pytest.fixture(autouse=True)
def threads_that_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command line sets it: the number of threads stays what it is, so that equal runs are equal to the bit."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
