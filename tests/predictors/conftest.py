"""A tiny BERT with random weights and the real tokenizer: everything the engine needs, in milliseconds."""

from pathlib import Path

import pytest

from predictors.tiny import write_tiny_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))
