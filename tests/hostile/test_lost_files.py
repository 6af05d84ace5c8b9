"""Versions whose files the store has lost or damaged, and what a kill leaves behind: seen before work is skipped."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY, case, made_store, tracker, uri  # noqa: F401 - fixtures

from tailtune.services.mlflow import Tracker
from tailtune.services.mlflow.home import fluent
from tailtune.services.mlflow.lookup import FILES
from tailtune.services.mlflow.presence import files_of, is_registered

pytestmark = THIRD_PARTY
SCHEMA = """
CREATE TABLE model_versions (name, version, run_id, source, current_stage);
CREATE TABLE logged_models (model_id, artifact_location, lifecycle_stage);
CREATE TABLE model_version_tags (name, version, key, value);
INSERT INTO model_versions VALUES ('toy', 1, 'r', 'models:/m-1', 'None');
"""


def write(model: Path) -> None:
    (model / "artifacts" / "tfidf").mkdir(parents=True)
    (model / "MLmodel").write_text("flavors: {}\n", encoding="utf-8")
    (model / "artifacts" / "tfidf" / "arrays.safetensors").write_bytes(bytes(100))


def flip(model: Path) -> None:
    (model / "artifacts" / "tfidf" / "arrays.safetensors").write_bytes(bytes(99) + b"x")


def cut(model: Path) -> None:
    (model / "artifacts" / "tfidf" / "arrays.safetensors").write_bytes(bytes(50))


def lose(model: Path) -> None:
    (model / "artifacts" / "tfidf" / "arrays.safetensors").unlink()


def lose_first(model: Path) -> None:
    (model / "MLmodel").unlink()


def compile_code(model: Path) -> None:
    (model / "__pycache__").mkdir()
    (model / "__pycache__" / "x.pyc").write_bytes(b"x")


def load_by_name(model: Path) -> None:
    """MLflow leaves this beside the files of a version that somebody loads as `models:/toy/1`."""
    (model / "registered_model_meta").write_text("model_name: toy\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "recorded", "there"),
    [
        (lambda _: None, True, True),
        (compile_code, True, True),
        (load_by_name, True, True),
        (flip, True, False),
        (cut, True, False),
        (lose, True, False),
        (lose_first, True, False),
        (lose_first, False, False),
        (lambda _: None, False, True),
    ],
)
def test_a_version_is_there_when_its_files_are(
    change: Callable[[Path], None], recorded: bool, there: bool, tmp_path: Path
) -> None:
    model, database = tmp_path / "artifacts", tmp_path / "mlflow.db"
    write(model)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO logged_models VALUES ('m-1', ?, 'active')", (str(model),))
        if recorded:
            connection.execute("INSERT INTO model_version_tags VALUES ('toy', 1, ?, ?)", (FILES, files_of(str(model))))
    change(model)
    assert is_registered(f"sqlite:///{database}", "toy", "1", "r") is there


@pytest.mark.parametrize("stage", ["deleted", None])
def test_a_version_without_its_model_is_not_there(stage: str | None, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(SCHEMA)
        if stage is not None:
            connection.execute("INSERT INTO logged_models VALUES ('m-1', '/x', ?)", (stage,))
    assert not is_registered(f"sqlite:///{database}", "toy", "1", "r")


@pytest.mark.parametrize("registered", [False, True])
def test_a_model_that_never_became_a_version_goes(registered: bool, tracker: Tracker) -> None:  # noqa: F811
    run_id = tracker.open_run("register", "toy (not registered yet)")
    model = tracker.client.create_logged_model(tracker.experiment_id, "toy", run_id)
    folder = Path(model.artifact_location)
    write(folder)
    if registered:
        with fluent(tracker.uri):
            tracker.client.create_registered_model("toy")
            tracker.client.create_model_version("toy", f"models:/{model.model_id}", run_id, model_id=model.model_id)
    tracker.sweep("register")
    left = tracker.client.search_logged_models([tracker.experiment_id])
    assert bool(left) is registered and folder.exists() is registered
    assert tracker.client.get_run(run_id).info.status == "KILLED"
