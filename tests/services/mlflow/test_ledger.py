"""What stages used and people added, read back from MLflow, and the run that adds it up."""

from datetime import datetime

import pytest

from services.mlflow import examples, prompted
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.core.ledger import CATEGORIES, COMPLAINT, Amount, Facts
from tailtune.core.records import Cost
from tailtune.core.reports import Report
from tailtune.judge.ledger import reckon
from tailtune.report.mlflow import ledger_plan
from tailtune.services.mlflow import Tracker, connect, ledger
from tailtune.services.mlflow.write import PARENT
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY

LATE = "2026-11-27T10:00:00+00:00"


def facts(tracker: Tracker) -> Facts:
    return ledger.facts(tracker, "support-tickets", "accuracy")


def known(found: Facts) -> dict[str, float | None]:
    return {entry.what: entry.usd for entry in found.entries}


def ms(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)


def with_cost(report: Report, usd: float | None, bought_usd: float | None, at: str = "") -> Report:
    cost = Cost(wall_s=10, cpu_s=10, peak_memory_mb=1, usd=usd, bought_usd=bought_usd)
    return report.model_copy(update={"cost": cost, **({"finished_at": at} if at else {})})


def version(tracker: Tracker, number: str, run_id: str, promoted: bool, accuracy: str = "0.9430") -> None:
    """A registered version as `register` leaves it, without files."""
    if number == "1":
        tracker.client.create_registered_model("support-tickets")
    tags = {"accuracy": accuracy, "rows_digest": "8c1f0e2d3b4a5968", "tailtune.promoted": str(promoted).lower()}
    made = tracker.client.create_model_version("support-tickets", "file:///nowhere", run_id=run_id, tags=tags)
    assert str(made.version) == number


def test_nothing_recorded_is_empty_and_makes_no_experiment(case: UseCase, tracker: Tracker) -> None:
    assert facts(tracker) == Facts() and Facts().empty
    assert tracker.client.get_experiment_by_name(case.name) is None


def test_every_stage_counts_for_its_category_and_children_do_not(case: UseCase, tracker: Tracker) -> None:
    for report in examples.everything(case):
        publish(tracker, report)
    found = facts(tracker)
    assert [(e.category, e.what) for e in sorted(found.entries, key=lambda e: e.at_ms)] == [
        ("curation", "curate: machine"),
        ("curation", "validate: machine"),
        ("evaluation", "ladder: machine"),
        ("evaluation", "decide: machine"),
        ("training", "train: machine"),
        ("evaluation", "evaluate: machine"),
    ]
    assert {entry.usd for entry in found.entries} == {0.001}
    assert found.stages == ("curate", "decide", "evaluate", "ladder", "train", "validate")


def test_the_whole_life_counts_and_not_only_the_newest_runs(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, examples.curate(case))
    publish(tracker, examples.curate(case, at=LATE))
    found = facts(tracker)
    assert len(found.entries) == 2
    assert [one.rows_read for one in found.curated] == [12_000, 12_000]
    newest = max(found.curated, key=lambda one: one.at_ms)
    assert (newest.at_ms, newest.at_ms - newest.began_ms) == (ms(LATE), 4200)
    assert newest.rows_digest == "8c1f0e2d3b4a5968"


def test_bought_answers_are_an_entry_of_their_own(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, prompted.prompt(case, bought_usd=0.27))
    publish(tracker, prompted.diagnose(case))
    assert known(facts(tracker)) == {
        "prompt: machine": 0.0009, "prompt: bought answers": 0.27,
        "diagnose: machine": 0.0009, "diagnose: bought answers": 0.03,
    }  # fmt: skip


def test_what_answers_cost_without_usage_is_not_known(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, with_cost(prompted.prompt(case), None, None))
    publish(tracker, with_cost(examples.ladder(case), None, 0.0))
    assert known(facts(tracker)) == {"prompt: machine": None, "prompt: bought answers": None, "ladder: machine": None}


def test_a_killed_run_is_counted_and_not_guessed(case: UseCase, tracker: Tracker, uri: str) -> None:
    tracker.open_run("train", "train (running)")
    assert facts(tracker).entries == ()
    publish(connect(uri, case), examples.train(case))
    assert known(facts(tracker)) == {"train: killed": None, "train: machine": 0.001}


def test_a_publication_that_was_torn_and_done_again_is_one_cost(case: UseCase, tracker: Tracker, uri: str) -> None:
    run_id = publish(tracker, examples.evaluate(case))
    tracker.client.update_run(run_id, status="RUNNING")
    publish(connect(uri, case), examples.evaluate(case))
    assert known(facts(tracker)) == {"evaluate: machine": 0.001}
    assert len(facts(tracker).entries) == 1


def test_what_a_person_adds_is_a_finished_run_that_anybody_can_read(tracker: Tracker) -> None:
    run_id = ledger.add(tracker, "labelling", Amount(hours=3), 225.0, "two interns", "75 USD an hour", ms(LATE))
    run = tracker.client.get_run(run_id)
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("cost: labelling", "FINISHED", ms(LATE))
    assert run.data.metrics == {"cost_hours": 3.0, "cost_usd": 225.0}
    assert run.data.tags.items() >= {
        "tailtune.ledger": "true", "tailtune.for": "labelling", "tailtune.price": "75 USD an hour",
        "mlflow.source.name": "tailtune cost support-tickets",
    }.items()  # fmt: skip
    (entry,) = facts(tracker).entries
    assert (entry.category, entry.what, entry.usd, entry.hours, entry.at_ms) == (
        "labelling", "two interns", 225.0, 3.0, ms(LATE)
    )  # fmt: skip


def test_hours_without_a_price_are_not_known(tracker: Tracker) -> None:
    run_id = ledger.add(tracker, "drift", Amount(hours=2), None, "", "", ms(LATE))
    assert "cost_usd" not in tracker.client.get_run(run_id).data.metrics
    (entry,) = facts(tracker).entries
    assert (entry.usd, entry.hours, entry.what) == (None, 2.0, "added by hand")


def test_an_entry_deleted_in_the_ui_is_taken_back(tracker: Tracker) -> None:
    run_id = ledger.add(tracker, "other", Amount(usd=5), 5.0, "", "", ms(LATE))
    tracker.client.delete_run(run_id)
    assert facts(tracker).empty


@pytest.mark.parametrize("purpose", CATEGORIES)
def test_every_category_comes_back(tracker: Tracker, purpose: str) -> None:
    ledger.add(tracker, purpose, Amount(usd=5), 5.0, "", "", ms(LATE))
    assert [entry.category for entry in facts(tracker).entries] == [purpose]


def test_a_complaint_is_a_moment_and_costs_only_what_is_said(tracker: Tracker) -> None:
    ledger.add(tracker, COMPLAINT, Amount(), 0.0, "mixed up refunds", "", ms(LATE))
    found = facts(tracker)
    assert (found.entries, found.complaints_ms, found.empty) == ((), (ms(LATE),), False)
    ledger.add(tracker, COMPLAINT, Amount(hours=1), 75.0, "", "", ms(LATE))
    assert [(entry.category, entry.usd) for entry in facts(tracker).entries] == [("other", 75.0)]


def test_versions_say_what_they_are_worth_and_own_the_run_that_made_them(case: UseCase, tracker: Tracker) -> None:
    run_id = publish(tracker, with_cost(examples.train(case), 0.5, 0.0, at="2099-01-01T00:00:00+00:00"))
    version(tracker, "1", run_id, promoted=True)
    version(tracker, "2", "other", promoted=False, accuracy="0.9510")
    found = facts(tracker)
    by_number = {one.version: one for one in found.versions}
    assert (by_number["1"].quality, by_number["1"].promoted) == (0.943, True)
    assert (by_number["2"].quality, by_number["2"].promoted) == (0.951, False)
    assert by_number["1"].rows_digest == "8c1f0e2d3b4a5968"
    assert [entry.version for entry in found.entries] == ["1"]


def test_more_runs_than_a_page_are_all_read(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        ledger.add(tracker, "other", Amount(usd=1), 1.0, f"no. {number}", "", ms(LATE))
    monkeypatch.setattr(ledger, "_PAGE", 2)
    assert {entry.what for entry in facts(tracker).entries} == {f"no. {number}" for number in range(5)}


def summary_runs(tracker: Tracker) -> list:  # type: ignore[type-arg]
    return list(tracker.client.search_runs([tracker.experiment_id], "tags.`tailtune.stage` = 'ledger'"))


def test_the_summary_is_one_run_charted_by_version(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, examples.curate(case))
    run_id = publish(tracker, examples.train(case))
    version(tracker, "1", run_id, promoted=True)
    ledger.add(tracker, "labelling", Amount(hours=3, rows=400), 225.0, "", "", ms("2099-01-01T00:00:00+00:00"))
    found = reckon(case.name, "accuracy", facts(tracker), 0.08)
    first = ledger.summarise(tracker, ledger_plan(found, prompted.economics()))
    assert ledger.summarise(tracker, ledger_plan(found, prompted.economics())) == first
    (run,) = summary_runs(tracker)
    assert (run.info.run_name, run.info.status, PARENT in run.data.tags) == ("ledger", "FINISHED", False)
    assert run.data.tags["mlflow.source.name"] == "tailtune cost support-tickets", "a command that there is"
    history = {p.step: p.value for p in tracker.client.get_metric_history(first, "ledger/labelling_usd")}
    assert history == {1: pytest.approx(960.0), 2: 225.0}
    assert [p.step for p in tracker.client.get_metric_history(first, "accuracy")] == [1]
    assert run.data.metrics["tco_usd/prompt"] == 1800.0
    assert run.data.metrics["break_even_per_day"] == 5800.0
    assert {item.path for item in tracker.client.list_artifacts(first)} == {"ledger.json"}


def test_a_changed_ledger_takes_the_place_of_the_old_one(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, examples.curate(case))
    old = ledger.summarise(tracker, ledger_plan(reckon(case.name, "accuracy", facts(tracker), 0.08), None))
    new = ledger.summarise(tracker, ledger_plan(reckon(case.name, "accuracy", facts(tracker), 0.10), None))
    assert old != new
    assert [run.info.run_id for run in summary_runs(tracker)] == [new]
    assert facts(tracker).stages == ("curate",)


def test_a_category_with_an_unknown_price_has_no_metric(case: UseCase, tracker: Tracker) -> None:
    publish(tracker, with_cost(examples.train(case), None, 0.0))
    publish(tracker, examples.ladder(case))
    run_id = ledger.summarise(tracker, ledger_plan(reckon(case.name, "accuracy", facts(tracker), None), None))
    metrics = tracker.client.get_run(run_id).data.metrics
    assert metrics["ledger/evaluation_usd"] == 0.001 and metrics["ledger/unknown"] == 1
    assert not {"ledger/training_usd", "ledger/usd", "ledger/drift_usd"} & set(metrics)
