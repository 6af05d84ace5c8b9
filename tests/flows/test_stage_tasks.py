"""What makes a flow run a stage that DVC calls fresh."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from predictors.prompted.random_model import write_random_model
from project import NAME, make

from tailtune.config.paths import Paths
from tailtune.core.errors import GateError, ServiceError, StageFailedError, TailTuneError, UsageError
from tailtune.core.reports import PromptReport
from tailtune.predictors.prompted.weights import digest_of
from tailtune.services import store

FOLDER = "lm/tiny"


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "flows"))
    yield importlib.import_module("stage_tasks")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project whose prompts were measured with a model in a folder."""
    made = make(tmp_path / "project", {"prompt": {"models": [{"name": "tiny", "folder": FOLDER}]}})
    digest = digest_of(write_random_model(made.root / FOLDER))
    store.write_report(made.case(NAME).report("prompt"), PromptReport(
        use_case=NAME, stage="prompt", weights={"tiny": digest}
    ))  # fmt: skip
    return made


def test_the_weights_that_were_measured_are_fresh(tasks: ModuleType, paths: Paths) -> None:
    assert not tasks.has_other_weights(paths, NAME)


def test_other_weights_and_none_are_measured_again(tasks: ModuleType, paths: Paths) -> None:
    write_random_model(paths.root / FOLDER, seed=6)
    assert tasks.has_other_weights(paths, NAME)
    shutil.rmtree(paths.root / FOLDER)
    assert tasks.has_other_weights(paths, NAME)


def test_weights_on_another_disk_are_looked_for_there(
    tasks: ModuleType, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk" / "lm").mkdir(parents=True)
    shutil.move(paths.root / FOLDER, tmp_path / "disk" / FOLDER)
    monkeypatch.setenv("TAILTUNE_WEIGHTS", str(tmp_path / "disk"))
    assert not tasks.has_other_weights(paths, NAME)


def test_without_a_report_that_can_be_read_dvc_alone_decides(tasks: ModuleType, paths: Paths) -> None:
    shutil.rmtree(paths.root / FOLDER)
    paths.case(NAME).report("prompt").write_text("{}", encoding="utf-8")
    assert not tasks.has_other_weights(paths, NAME)
    paths.case(NAME).report("prompt").unlink()
    assert not tasks.has_other_weights(paths, NAME)


class _State:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self, raise_on_failure: bool = True) -> Exception:
        return self._error


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:1"])
def test_gates_and_faults_are_never_retried(
    monkeypatch: pytest.MonkeyPatch, tasks: ModuleType, uri: str | None
) -> None:
    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    if uri:
        monkeypatch.setenv("TAILTUNE_TRACKING_URI", uri)
    codes = (TailTuneError.exit_code, GateError.exit_code, UsageError.exit_code, 130, 137)
    assert ServiceError.exit_code not in codes
    errors = [GateError("no"), ValueError("a bug"), *(StageFailedError("ladder@toy", code) for code in codes)]
    for error in errors:
        assert not tasks.tracking_server_failed(None, None, _State(error))
        assert not tasks.remote_failed(None, None, _State(error))


def test_a_server_that_did_not_answer_is_retried_where_there_is_a_network(
    monkeypatch: pytest.MonkeyPatch, tasks: ModuleType
) -> None:
    failed = _State(StageFailedError("ladder@toy", ServiceError.exit_code))
    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    assert not tasks.tracking_server_failed(None, None, failed)
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", "http://127.0.0.1:1")
    assert tasks.tracking_server_failed(None, None, failed)
    assert tasks.remote_failed(None, None, _State(ServiceError("no answer")))
