"""Money of runs that end without a report reaches the ledger, once, in the project's own store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from doubles.skill import Skilled
from project import NAME, Heard
from services.mlflow.conftest import THIRD_PARTY, made_store  # noqa: F401 - a fixture

from lifecycle.prompt.prompted import asking, bought_usd, declare, dev_rows, truth
from tailtune.cli.cost import print_bill
from tailtune.cli.prompting import repeat
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import EndpointError
from tailtune.core.reports import PromptReport
from tailtune.lifecycle.runner import run_stage

pytestmark = THIRD_PARTY


@pytest.fixture
def prompted_project(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    made_store: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Paths, Double]]:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "none")
    skill = Skilled(truth(), base=0.5, evidence=0.5)
    with asking(tmp_path_factory, tmp_path / "project", skill) as (paths, double):
        shutil.copytree(made_store, paths.mlflow_store)
        declare(paths, double.url, rungs=["lm_zero_shot"], stop="never", model={"retries": 0, "concurrency": 1})
        yield paths, double


def paid(double: Double) -> float:
    return (double.input_tokens * 1.0 + double.output_tokens * 2.0) / 1e6


def prompted(paths: Paths) -> PromptReport:
    report = run_stage("prompt", NAME, paths, Settings(), Heard())
    assert isinstance(report, PromptReport)
    return report


def test_an_endpoint_that_dies_half_way_costs_what_it_had_answered(
    prompted_project: tuple[Paths, Double], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, double = prompted_project
    double.conduct.every, double.conduct.mishap = 12, Mishap(status=503)
    with pytest.raises(EndpointError, match="503"):
        prompted(paths)
    before = paid(double)
    assert bought_usd(paths) == pytest.approx(before) and before > 0
    double.conduct.every = 0
    report = prompted(paths)
    assert report.rungs[0].cached_rows == 11 and report.rungs[0].quality.rows == dev_rows(paths)
    assert report.usd_spent == pytest.approx(paid(double) - before), "this run's own, as before"
    assert bought_usd(paths) == pytest.approx(paid(double)), "no answer is missing and none is counted twice"
    assert prompted(paths).usd_spent == 0
    assert bought_usd(paths) == pytest.approx(paid(double))
    print_bill(paths, NAME, as_json=True)
    bill = json.loads(capsys.readouterr().out)
    assert bill["lines"]["evaluation"]["usd"] >= paid(double)
    assert not [line for line in bill["unknown"] if "prompt" in line]


def test_repeats_are_in_the_ledger(prompted_project: tuple[Paths, Double]) -> None:
    paths, double = prompted_project
    prompted(paths)
    list(repeat(paths, NAME, 2))
    assert bought_usd(paths) == pytest.approx(paid(double))


def test_an_endpoint_that_never_answered_leaves_no_run(prompted_project: tuple[Paths, Double]) -> None:
    paths, double = prompted_project
    double.conduct.key = "another"
    with pytest.raises(EndpointError):
        prompted(paths)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(Settings().resolved_tracking_uri(paths))
    assert client.get_experiment_by_name(NAME) is None
