"""One random model for all tests of local models."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictors.prompted.random_model import write_random_model


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("random") / "model")
