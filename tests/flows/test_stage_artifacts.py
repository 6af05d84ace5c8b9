"""What Prefect is shown of each report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import GateError, ServiceError, StageFailedError, TailTuneError, UsageError
from tailtune.core.reports import REPORTS, DiagnoseReport, PromptReport, Report

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


def test_prompted_rungs_say_what_was_bought_and_how_sure_it_is(artifacts: ModuleType) -> None:
    (rung,) = artifacts.tables(SAMPLES["prompt"])["rungs"]
    assert rung["accuracy"] == "90.0 % (88.0–92.0)"
    assert (rung["model"], rung["prompt"], rung["rows"], rung["usable"]) == ("small", "few_shot v3", "100 of 100", "99")
    assert rung["against the best before"] == "+10.0 points (+2.0 to +18.0)"
    assert (rung["p, corrected"], rung["USD"]) == ("p = 0.0040", "$0.020")
    text = artifacts.text(SAMPLES["prompt"])
    assert "$0.020 paid for 60 answers." in text and "40.0 % of a full evaluation's rows were not needed." in text
    assert "- not needed: lm_strong, the target is met" in text


def test_a_prompt_stage_without_a_model_says_so(artifacts: ModuleType) -> None:
    bare = PromptReport(use_case="toy_2", stage="prompt", unmeasured=("prompted language models",))
    text = artifacts.text(bare)
    assert "0 prompted rungs: no language model is declared." in text
    assert "- not measured: prompted language models" in text and "paid" not in text
    assert artifacts.tables(bare) == {}
    nothing = artifacts.text(DiagnoseReport(use_case="toy_2", stage="diagnose"))
    assert "nothing to diagnose" in nothing


def test_failures_have_their_fault_their_share_and_examples(artifacts: ModuleType) -> None:
    tables = artifacts.tables(SAMPLES["diagnose"])
    assert tables["failures"] == [
        {"reason": "no example", "fault": "context", "rows": 6, "share": "90.0 % (88.0–92.0)"}
    ]
    assert tables["examples"][0]["origin"] == "a:3" and tables["examples"][0]["answered"] is None
    assert tables["mixed up"] == [{"first": "a", "second": "b", "rows": 2}]
    assert "- no example (90.0 % (88.0–92.0)): add one" in artifacts.text(SAMPLES["diagnose"])


def test_a_decision_shows_its_figures_and_what_roads_cost_unknown_ones_as_such(artifacts: ModuleType) -> None:
    tables = artifacts.tables(SAMPLES["decide"])
    assert tables["questions"][0]["figures"] == "network 7.0 ms"
    assert tables["candidates"] == [
        {
            "candidate": "Probe",
            "quality": "90.0 %",
            "once": "$1.00",
            "a month": "not known",
            "a request": "not known",
            "in all": "not known",
        }
    ]


def test_bought_answers_are_told_beside_the_machine(artifacts: ModuleType) -> None:
    sample = SAMPLES["prompt"]
    assert sample.cost is not None
    bought = sample.model_copy(update={"cost": sample.cost.model_copy(update={"bought_usd": 0.02})})
    assert "answers bought $0.020" in artifacts.text(bought)
    unknown = sample.model_copy(update={"cost": sample.cost.model_copy(update={"bought_usd": None})})
    assert "answers bought not known" in artifacts.text(unknown)
    assert "bought" not in artifacts.text(SAMPLES["curate"])


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
