"""A small checkout without git whose rows are pinned, and a context for retrains of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.checkout import checkout
from worlds import stores

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.lifecycle.context import Context
from tailtune.services import versions
from tailtune.services.mlflow import connect
from tailtune.tasks.use_case import load_use_case


@pytest.fixture
def paths(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    made = checkout(tmp_path / "checkout")
    made.case("first").retrain.mkdir(parents=True)
    stores.give(tmp_path_factory, made.mlflow_store)
    versions.pin_data(made)
    return made


def context_of(paths: Paths) -> Context:
    case, settings = load_use_case(paths, "first"), Settings()
    return Context(case, settings, Silent(), connect(settings.resolved_tracking_uri(paths), case), "retrain")
