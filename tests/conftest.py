"""What the command line does first, for every test: no telemetry, no hub, threads that wait sleep."""

from pathlib import Path

import pytest

from tailtune.config.settings import quiet_environment

quiet_environment()


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and the real tokenizer: everything the engine needs, in milliseconds."""
    from predictors.tiny import write_tiny_encoder

    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))
