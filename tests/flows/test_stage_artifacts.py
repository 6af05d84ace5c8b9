"""What Prefect is shown of each report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tailtune.core.errors import GateError, ServiceError, StageFailedError, TailTuneError, UsageError
from tailtune.core.reports import REPORTS, Report
from tailtune.spec.paths import Paths
from tailtune.spec.settings import Settings

from .conftest import sample_reports

ROOT = Path(__file__).parents[2]
SAMPLES = sample_reports("toy_2")


@pytest.fixture(scope="module", autouse=True)
def flows_on_path() -> object:
    before = sys.path.copy()
    sys.path.insert(0, str(ROOT / "flows"))
    yield
    sys.path[:] = before


@pytest.fixture(scope="module")
def artifacts(flows_on_path: object) -> ModuleType:
    import stage_artifacts

    return stage_artifacts


def test_every_stage_has_a_sample() -> None:
    assert set(SAMPLES) == set(REPORTS)


@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_every_report_is_text_and_plain_json_tables(artifacts: ModuleType, report: Report) -> None:
    text = artifacts.text(report)
    assert text.startswith(f"## {report.stage} of toy_2\n")
    assert "1.5 s" in text  # what it cost
    for rows in artifacts.tables(report).values():
        assert rows
        json.dumps(rows, allow_nan=False)


def test_numbers_keep_their_intervals(artifacts: ModuleType) -> None:
    (rung,) = artifacts.tables(SAMPLES["ladder"])["rungs"]
    assert rung["accuracy"] == "90.0 % (88.0–92.0)"
    assert rung["p99"] == "3.0 ms"
    assert rung["USD per 1,000"] == "not known"
    assert "a:3" in artifacts.text(SAMPLES["validate"])
    assert "closed" in artifacts.text(SAMPLES["validate"])


def test_links_lead_to_what_is_there(artifacts: ModuleType, tmp_path: Path) -> None:
    docs = tmp_path / "build/toy_2/validate/passed.json"
    settings = Settings(tracking_uri="http://127.0.0.1:1")
    assert artifacts.links(Paths(tmp_path), SAMPLES["validate"], settings) == {"mlflow": "http://127.0.0.1:1"}
    docs.parent.mkdir(parents=True)
    docs.touch()
    found = artifacts.links(Paths(tmp_path), SAMPLES["validate"], Settings(tracking_uri=None))
    assert found == {"data docs": docs.as_uri()}


def test_keys_are_what_prefect_allows(artifacts: ModuleType) -> None:
    assert artifacts.key("Toy_2", "weakest classes") == "toy-2-weakest-classes"


class _State:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self, raise_on_failure: bool = True) -> Exception:
        return self._error


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:1"])
def test_gates_and_faults_are_never_retried(monkeypatch: pytest.MonkeyPatch, uri: str | None) -> None:
    from stage_tasks import remote_failed, tracking_server_failed

    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    if uri:
        monkeypatch.setenv("TAILTUNE_TRACKING_URI", uri)
    codes = (TailTuneError.exit_code, GateError.exit_code, UsageError.exit_code, 130, 137)
    assert ServiceError.exit_code not in codes
    errors = [GateError("no"), ValueError("a bug"), *(StageFailedError("ladder@toy", code) for code in codes)]
    for error in errors:
        assert not tracking_server_failed(None, None, _State(error))
        assert not remote_failed(None, None, _State(error))


def test_a_server_that_did_not_answer_is_retried_where_there_is_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from stage_tasks import remote_failed, tracking_server_failed

    failed = _State(StageFailedError("ladder@toy", ServiceError.exit_code))
    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    assert not tracking_server_failed(None, None, failed)
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_server_failed(None, None, failed)
    assert remote_failed(None, None, _State(ServiceError("no answer")))
