"""Is the version still there? Asked of the embedded file and of a real server, without MLflow."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.presence import is_registered
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY


def registered(tracker: Tracker, model: str, files: Path) -> str:
    """A version without files; returns its run."""
    run_id = publish(tracker, examples.curate(tracker.case))
    tracker.client.create_registered_model(model)
    tracker.client.create_model_version(model, f"runs:/{run_id}/model", run_id)
    return run_id


def check(uri: str, tracker: Tracker, run_id: str) -> None:
    assert is_registered(uri, "m", "1", run_id)
    assert not is_registered(uri, "m", "2", run_id)
    assert not is_registered(uri, "m", "1", "another-run")
    assert not is_registered(uri, "other", "1", run_id)
    tracker.client.delete_model_version("m", "1")
    assert not is_registered(uri, "m", "1", run_id)


def test_embedded(case: UseCase, uri: str, tracker: Tracker, tmp_path: Path) -> None:
    check(uri, tracker, registered(tracker, "m", tmp_path))
    assert not is_registered(f"sqlite:///{tmp_path}/none.db", "m", "1", "r")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.servers
def test_server(case: UseCase, server: str, tmp_path: Path) -> None:
    tracker = connect(server, case)
    check(server, tracker, registered(tracker, "m", tmp_path))


def test_a_torn_database_has_no_version(tmp_path: Path) -> None:
    torn = tmp_path / "torn.db"
    torn.write_text("no database" * 100)
    assert not is_registered(f"sqlite:///{torn}", "m", "1", "r")


def test_what_cannot_be_asked_is_taken_to_be_there() -> None:
    assert is_registered("http://127.0.0.1:9", "m", "1", "r")


def test_asking_imports_no_mlflow() -> None:
    script = (
        "import sys; from tailtune.services.mlflow.presence import is_registered;"
        "is_registered('sqlite:////nowhere/x.db', 'm', '1', 'r'); assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
