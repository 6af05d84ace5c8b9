"""Three lives with a prompted model that speaks the real protocol: stay, fine-tune, not yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from doubles.conduct import Conduct
from doubles.endpoint import Double
from doubles.skill import Hinted, Skilled
from lifecycle.prompt.prompted import declare, measured, truth
from project import NAME, copy, respec
from worlds import stores
from worlds.command import tailtune

from tailtune.config.paths import Paths
from tailtune.core.reports import DecideReport, DiagnoseReport, EvaluateReport, PromptReport, RegisterReport
from tailtune.lifecycle.table import STAGES
from tailtune.services import store

pytestmark = pytest.mark.slow
AFTER = [stage.name for stage in STAGES][[stage.name for stage in STAGES].index("prompt") :]
DEAR = {"small": (150.0, 300.0), "large": (500.0, 900.0)}


@pytest.fixture
def paths(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project whose ladder is measured, with an empty store of its own."""
    made = copy(measured(tmp_path_factory), tmp_path / "project")
    stores.give(tmp_path_factory, made.mlflow_store)
    return made


def live(paths: Paths, *stages: str) -> None:
    """Run stages as a person does, tracked in the project's own store."""
    for stage in stages:
        done = tailtune(paths.root, stage, NAME)
        assert done.code == 0, f"{stage}: {done.out}{done.err}"


def report(paths: Paths, kind: Any, stage: str) -> Any:
    return store.read_report(paths.case(NAME).report(stage), kind, NAME)


def verdict(paths: Paths, *options: str) -> tuple[int, dict[str, Any]]:
    done = tailtune(paths.root, "verdict", NAME, "--json", *options)
    return done.code, json.loads(done.out)


def test_retrieval_suffices_and_the_verdict_is_to_stay(paths: Paths) -> None:
    skill = Skilled(truth(), base=0.5, evidence=1.0)
    with Double(skill, Conduct(headers={"openai-processing-ms": "1"})) as double:
        declare(paths, double.url, shots=12, targets={"accuracy": 0.8, "min_train_rows": 0})
        live(paths, *AFTER)
        prompted = report(paths, PromptReport, "prompt")
        assert prompted.best == "lm_retrieval"
        decided = report(paths, DecideReport, "decide")
        assert (decided.verdict, decided.best_rung, decided.train.yes) == ("stay", "lm_retrieval", False)
        requests = len(double.seen)
        evaluated = report(paths, EvaluateReport, "evaluate")
        assert evaluated.winner == "lm_retrieval" and evaluated.final.verdict == "stay"
        winner = next(one for one in evaluated.candidates if one.name == "lm_retrieval")
        assert winner.quality.rows == evaluated.test_rows and winner.usd_per_1000 > 0
        assert {"wait", "server", "body"} <= set(winner.latency.parts)
        registered = report(paths, RegisterReport, "register")
        assert registered.aliases == ("champion",)
        page = paths.case(NAME).page.read_text(encoding="utf-8")
        assert "Stay with the prompt with retrieved examples" in page
        assert verdict(paths, "--expect", "stay")[0] == 0
        code, text = verdict(paths, "--expect", "fine-tune")
        assert (code, text["verdict"], text["best_rung"]) == (3, "stay", "lm_retrieval")

        from mlflow import pyfunc, set_tracking_uri
        from mlflow.tracking import MlflowClient

        uri = f"sqlite:///{paths.mlflow_store / 'mlflow.db'}"
        client = MlflowClient(uri)
        assert client.get_prompt_version_by_alias(f"{NAME}.retrieval", "production").version == 1
        set_tracking_uri(uri)
        served = pyfunc.load_model(registered.uri).predict(pd.DataFrame({"text": ["i lost my card"]}))
        assert list(served["label"]) and len(double.seen) > requests


def test_a_searched_prompt_wins_and_is_in_production(paths: Paths) -> None:
    from mlflow.tracking import MlflowClient

    with Double(Hinted(Skilled(truth(), base=0.5), Skilled(truth(), base=1.0))) as double:
        rungs = ["lm_zero_shot", "lm_optimised"]
        declare(paths, double.url, strong=True, rungs=rungs, targets={"accuracy": 0.8, "min_train_rows": 0})
        live(paths, *AFTER, "prompt")
    assert report(paths, EvaluateReport, "evaluate").winner == "lm_optimised"
    client = MlflowClient(f"sqlite:///{paths.mlflow_store / 'mlflow.db'}")
    (only,) = client.search_prompt_versions(f"{NAME}.optimised")
    assert client.get_prompt_version_by_alias(f"{NAME}.optimised", "production").version == only.version
    text = (paths.case(NAME).stage("prompt") / "rungs" / "lm_optimised" / "optimised.md").read_text(encoding="utf-8")
    assert only.template == text and only.commit_message.startswith("searched by GEPA from zero_shot: ")
    page = paths.case(NAME).page.read_text(encoding="utf-8")
    assert "optimised.md; to adopt it, copy it to models/toy/prompts/zero_shot.md" in page


def test_prompts_do_not_suffice_and_the_fine_tune_is_tried(paths: Paths) -> None:
    skill = Skilled(truth(), base=0.4, strong=0.75, evidence=0.6)
    with Double(skill) as double:
        rungs = ["lm_zero_shot", "lm_retrieval", "lm_strong"]
        declare(paths, double.url, strong=True, rungs=rungs, targets={"accuracy": 0.96, "min_train_rows": 0})
        live(paths, *AFTER)
        diagnosed = report(paths, DiagnoseReport, "diagnose")
        assert diagnosed.failures == sum(one.rows for one in diagnosed.classes) > 0
        assert max(diagnosed.classes, key=lambda one: one.rows).fault == "model"
        decided = report(paths, DecideReport, "decide")
        assert decided.verdict == "fine-tune" and decided.train.yes and not decided.provisional
        evaluated = report(paths, EvaluateReport, "evaluate")
        assert evaluated.comparison is not None and evaluated.final is not None
        page = paths.case(NAME).page.read_text(encoding="utf-8")
        assert "model too weak" in page.lower()


def test_few_dev_rows_do_not_show_a_climb_so_labels_are_not_asked_for(paths: Paths) -> None:
    with Double(Skilled(truth(), base=0.4, evidence=0.6)) as double:
        declare(paths, double.url, targets={"accuracy": 0.96, "min_train_rows": 5000, "min_effect": 0.001})
        live(paths, "prompt", "diagnose", "decide")
        decided = report(paths, DecideReport, "decide")
        assert decided.verdict == "fine-tune" and decided.train.yes
        assert "label more" not in decided.reason


def test_without_an_endpoint_the_verdict_is_provisional(paths: Paths) -> None:
    respec(paths, {})
    live(paths, "prompt", "diagnose", "decide")
    decided = report(paths, DecideReport, "decide")
    assert decided.provisional
    assert any("prompt.models" in line for line in decided.unmeasured)
