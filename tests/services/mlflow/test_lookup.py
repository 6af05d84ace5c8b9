"""A version is looked up by alias or number, in a file and on a server alike; what is not there is None."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.versions import MODEL, register
from tailtune.core.errors import ServiceError
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.lookup import _by_mlflow, find
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY


def check(tracker: Tracker, uri: str, tmp_path: Path) -> None:
    predictor = tmp_path / "tfidf"
    predictor.mkdir()
    (predictor / "predictor.json").write_text("{}")
    number, _ = register(tracker, predictor, "champion")
    found = find(uri, MODEL, number)
    assert found is not None and found.version == number and found.predictor_files
    assert all(find(uri, MODEL, which) == found for which in ("champion", "@champion", f"v{number}"))
    direct = _by_mlflow(uri, MODEL, "champion")
    assert direct is not None and replace(direct, location=found.location) == found
    for which in ("challenger", "977"):
        assert find(uri, MODEL, which) is None and _by_mlflow(uri, MODEL, which) is None
    assert find(uri, "another", "champion") is None
    moved, _ = register(tracker, predictor, "champion")
    now = find(uri, MODEL, "champion")
    assert now is not None and now.version == moved


def test_in_the_embedded_store(tracker: Tracker, uri: str, tmp_path: Path) -> None:
    check(tracker, uri, tmp_path)


@pytest.mark.servers
def test_on_a_server(case: UseCase, server: str, tmp_path: Path) -> None:
    check(connect(server, case), server, tmp_path)


def test_a_store_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert find(f"sqlite:///{tmp_path}/none.db", "m", "champion") is None
    assert not list(tmp_path.iterdir())


def test_a_dead_server_is_an_error() -> None:
    with pytest.raises(ServiceError, match=r"http://127.0.0.1:9: looking up m champion failed"):
        find("http://127.0.0.1:9", "m", "champion")
