"""A declared use case whose reports become runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow import examples

from tailtune.tasks.use_case import UseCase


@pytest.fixture
def case(tmp_path: Path) -> UseCase:
    return examples.make_case(tmp_path / "project")
