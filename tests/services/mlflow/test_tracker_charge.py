"""Runs that hold nothing but a cost: when there is one, what it shows, and that the ledger counts it once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.mlflow import examples, prompted
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.core.errors import ServiceError
from tailtune.core.records import Cost, Decision
from tailtune.core.reports import RegisterReport
from tailtune.services.mlflow import Charge, Tracker, connect, ledger
from tailtune.services.mlflow.tracker import charge_plan
from tailtune.services.mlflow.write import NOTE, PARENT, RunWriter
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY
COST = Cost(wall_s=30, cpu_s=10, peak_memory_mb=1, usd=0.02, bought_usd=0.5)
FAILED = Charge("prompt", "failed", COST, "`EndpointError`: small at host: does not answer", "FAILED")


def runs(tracker: Tracker) -> list[Any]:
    return list(tracker.client.search_runs([tracker.experiment_id]))


def entries(tracker: Tracker) -> list[tuple[str, float | None]]:
    return sorted((one.what, one.usd) for one in ledger.facts(tracker, tracker.case.name, "accuracy").entries)


def cost(**changes: float | None) -> Cost:
    return COST.model_copy(update=changes)


@pytest.mark.parametrize(
    ("charge", "worth"),
    [
        (replace(FAILED, cost=cost(bought_usd=0.0, wall_s=2.0)), False),
        (replace(FAILED, cost=cost(bought_usd=0.0001, wall_s=2.0)), True),
        (replace(FAILED, cost=cost(bought_usd=None, wall_s=2.0)), True),
        (replace(FAILED, cost=cost(bought_usd=0.0, wall_s=10.0)), True),
        (replace(FAILED, cost=cost(bought_usd=0.0, wall_s=2.0), lost_requests=1), True),
    ],
)
def test_only_what_used_something_is_worth_a_run(charge: Charge, worth: bool) -> None:
    assert charge.noticeable == worth


def test_lost_requests_are_told_beside_the_cost() -> None:
    made = charge_plan(replace(FAILED, lost_requests=3))
    assert "3 requests were sent and never answered" in made.note
    assert {point.name: point.value for point in made.metrics}["requests_lost"] == 3


def test_a_failed_stage_is_one_run_that_says_why_and_counts(case: UseCase, tracker: Tracker) -> None:
    tracker.charge(FAILED)
    (run,) = runs(tracker)
    assert (run.info.run_name, run.info.status) == ("prompt: failed", "FAILED")
    assert run.data.tags["tailtune.stage"] == "prompt" and run.data.tags["tailtune.use_case"] == case.name
    assert run.data.tags[NOTE].startswith("`EndpointError`: small at host: does not answer")
    assert run.data.metrics.items() >= {"cost_wall_s": 30.0, "cost_usd": 0.02, "cost_bought_usd": 0.5}.items()
    assert run.info.end_time - run.info.start_time == 30_000
    assert entries(tracker) == [("prompt: failed, bought answers", 0.5), ("prompt: failed, machine", 0.02)]
    found = ledger.facts(tracker, case.name, "accuracy")
    assert {entry.category for entry in found.entries} == {"evaluation"}
    assert found.stages == (), "it did not run to its end"


def test_an_unknown_cost_stays_unknown(tracker: Tracker) -> None:
    tracker.charge(replace(FAILED, cost=cost(bought_usd=None)))
    assert entries(tracker) == [("prompt: failed, bought answers", None), ("prompt: failed, machine", 0.02)]


def test_nothing_noticeable_leaves_no_run(tracker: Tracker) -> None:
    assert tracker.charge(replace(FAILED, cost=cost(bought_usd=0.0, wall_s=1.0))) is None
    assert tracker.client.get_experiment_by_name(tracker.case.name) is None


def test_what_was_interrupted_shows_as_killed_and_its_cost_is_known(tracker: Tracker) -> None:
    tracker.charge(replace(FAILED, what="interrupted", status="KILLED"))
    assert [run.info.status for run in runs(tracker)] == ["KILLED"]
    assert entries(tracker) == [("prompt: interrupted, bought answers", 0.5), ("prompt: interrupted, machine", 0.02)]


def test_the_run_that_training_left_open_becomes_the_one_that_failed(case: UseCase, uri: str, tracker: Tracker) -> None:
    for step in range(3):
        tracker.live("train", "loss", 1.0, step)
    tracker.charge(Charge("train", "interrupted", cost(bought_usd=0.0, wall_s=1.0), status="KILLED"))
    (run,) = runs(tracker)
    assert (run.info.run_name, run.info.status) == ("train: interrupted", "KILLED")
    assert len(tracker.client.get_metric_history(run.info.run_id, "live/loss")) == 3
    publish(connect(uri, case), examples.train(case))
    assert entries(tracker) == [("train: interrupted, machine", 0.02), ("train: machine", 0.001)]


def test_a_publication_that_failed_half_way_is_the_run_that_failed(
    case: UseCase, uri: str, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cost stood in it already when it failed; it must not be counted twice, nor as not known."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    report = examples.evaluate(case)
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "_artifacts", full)
        with pytest.raises(ServiceError, match="No space left"):
            publish(tracker, report)
    tracker.charge(Charge("evaluate", "failed", cost(bought_usd=0.0), "full", "FAILED"))
    assert [(run.info.run_name, run.info.status) for run in runs(tracker)] == [("evaluate: failed", "FAILED")]
    publish(connect(uri, case), report.model_copy(update={"finished_at": "2026-11-29T10:00:00+00:00"}))
    assert entries(tracker) == [("evaluate: failed, machine", 0.02), ("evaluate: machine", 0.001)]
    assert len([run for run in runs(tracker) if PARENT in run.data.tags]) == len(report.candidates)


def test_a_publication_that_was_killed_half_way_counts_with_the_cost_it_had_written(
    case: UseCase, uri: str, tracker: Tracker
) -> None:
    run_id = publish(tracker, prompted.prompt(case, bought_usd=0.27))
    tracker.client.update_run(run_id, status="RUNNING")
    later = prompted.prompt(case, bought_usd=0.0).model_copy(update={"finished_at": "2026-11-29T10:00:00+00:00"})
    publish(connect(uri, case), later)
    assert tracker.client.get_run(run_id).info.status == "KILLED"
    assert entries(tracker) == [
        ("prompt: bought answers", 0.27), ("prompt: machine", 0.0009), ("prompt: machine", 0.0009)
    ]  # fmt: skip


def registered(case: UseCase, run_id: str, bought_usd: float | None) -> RegisterReport:
    report = RegisterReport(
        use_case=case.name, stage="register", model="m", version="1", run_id=run_id, uri="models:/m/1", aliases=(),
        promotion=Decision(yes=True, reason="first"), winner="tfidf", page="decision.html",
    )  # fmt: skip
    made = examples.stamped(case, report, "2026-11-20T10:07:00+00:00")
    assert isinstance(made, RegisterReport) and made.cost is not None
    return made.model_copy(update={"cost": made.cost.model_copy(update={"bought_usd": bought_usd})})


def test_a_models_run_is_kept_for_its_version_and_the_failure_is_another(
    case: UseCase, uri: str, tracker: Tracker
) -> None:
    model_run = tracker.open_run("register", "m (not registered yet)")
    failed = tracker.charge(Charge("register", "failed", cost(bought_usd=0.1), status="FAILED"))
    assert failed != model_run
    both = [("register: failed, bought answers", 0.1), ("register: failed, machine", 0.02)]
    assert entries(tracker) == both, "the model's run was ended, and is no second cost that is not known"
    publish(connect(uri, case), registered(case, model_run, 0.0))
    assert tracker.client.get_run(model_run).info.status == "FINISHED"
    assert entries(tracker) == [*both, ("register: machine", 0.001)]


def test_what_comparing_a_known_version_again_bought_is_a_run_of_its_own(case: UseCase, tracker: Tracker) -> None:
    model_run = tracker.open_run("register", "m")
    publish(tracker, registered(case, model_run, 0.0))
    later = registered(case, model_run, 0.3).model_copy(update={"finished_at": "2026-11-29T10:00:00+00:00"})
    for _ in range(2):
        publish(tracker, later)
    assert {run.info.run_name for run in runs(tracker)} == {"m v1", "register: compared again"}
    assert entries(tracker) == [
        ("register: compared again, bought answers", 0.3), ("register: compared again, machine", 0.001),
        ("register: machine", 0.001),
    ]  # fmt: skip
