"""What a new version is worth over the champion: nothing that is not declared is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow import examples, prompted

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.core.records import Answer
from tailtune.judge.scores import compare
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.register.dollars import Answered, net_value
from tailtune.services import store
from tailtune.services.mlflow import connect
from tailtune.tasks.use_case import load_use_case

ROWS = 200


def context(root: Path, value: str) -> Context:
    case = examples.make_case(root)
    for report in (*examples.everything(case), prompted.prompt(case), prompted.diagnose(case)):
        store.write_report(case.paths.report(report.stage), report)
    case.paths.model_yaml.write_text(examples.MODEL_YAML.replace("value: {}", f"value: {{{value}}}"))
    known = load_use_case(Paths(root), case.name)
    return Context(known, Settings(), Silent(), connect(f"sqlite:///{root / 'never.db'}", known), "register")


def answered(at: Context, kind: str, right: int) -> Answered:
    labels = list(at.case.answers.names)
    test = examples.make_rows("test", 60)[:ROWS]
    wrong = {label: labels[place - 1] for place, label in enumerate(labels)}
    answers = [Answer(row.label if i < right else wrong[row.label], 0.9) for i, row in enumerate(test)]
    return Answered(kind, object(), answers, at.case.task.score(test, answers))  # type: ignore[arg-type]


def worth_of(at: Context, ours: Answered, theirs: Answered) -> float | None:
    found = net_value(at, ours, theirs, compare(ours.score, theirs.score, ("new", "old")))
    return None if found is None else found.value


def test_a_retrain_of_the_same_kind_is_worth_the_errors_that_it_saves(tmp_path: Path) -> None:
    at = context(tmp_path, "requests_per_day: 1000, error_usd: 0.5")
    found = worth_of(at, answered(at, "probe", 180), answered(at, "probe", 178))
    assert found == pytest.approx(1000 * 365.25 * 0.5 * 0.01)


def test_another_kind_is_charged_with_what_it_costs_to_keep(tmp_path: Path) -> None:
    at = context(tmp_path, "requests_per_day: 1000, error_usd: 0.5, change_every_days: 30")
    free, dear = answered(at, "zero_shot", 180), answered(at, "probe", 180)
    assert worth_of(at, dear, free) is None  # an hour's work has no price yet
    at = context(tmp_path / "priced", "requests_per_day: 1000, error_usd: 0.5, change_every_days: 30")
    prices = at.project.prices
    prices.write_text(prices.read_text() + "person_hour_usd: 60\nlabel_usd: 0.1\n")
    found = worth_of(at, dear, free)
    assert found is not None and found < 0


@pytest.mark.parametrize("value", ["", "requests_per_day: 1000", "error_usd: 0.5"])
def test_what_is_not_declared_is_not_known(tmp_path: Path, value: str) -> None:
    at = context(tmp_path, value)
    assert worth_of(at, answered(at, "probe", 180), answered(at, "probe", 178)) is None
