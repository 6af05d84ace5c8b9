"""The register stage against a real MLflow store, killed where it hurts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dvc.repo import Repo
from services.mlflow import examples, prompted
from services.mlflow.conftest import THIRD_PARTY, case, made_store, server, tracker, uri  # noqa: F401 - fixtures
from services.mlflow.examples import publish

from lifecycle.helpers import perform
from tailtune.config.settings import Settings
from tailtune.core.errors import MissingInputError, TailTuneError, UsageError
from tailtune.core.progress import Silent
from tailtune.core.reports import EvaluateReport, RegisterReport
from tailtune.judge.shares import share_of
from tailtune.lifecycle import reference
from tailtune.lifecycle.context import Context
from tailtune.services import store, versions
from tailtune.services.mlflow import Tracker, connect, registry
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import require
from tailtune.tasks.use_case import UseCase, load_use_case

pytestmark = THIRD_PARTY


def registered(case: UseCase, uri: str, at: str = "2026-11-20T10:07:00+00:00") -> RegisterReport:  # noqa: F811
    """What the runner does: run the stage, stamp its report, publish it."""
    tracker = connect(uri, case)  # noqa: F811
    report = perform("register", Context(case, Settings(), Silent(), tracker))
    publish(tracker, examples.stamped(case, report, at))
    return report


def test_first_version_becomes_champion_with_everything_told(case: UseCase, uri: str, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case)
    report = registered(case, uri)
    assert (report.model, report.version, report.aliases, report.champion_version) == (
        case.name, "1", ("champion",), "1"
    )  # fmt: skip
    assert report.promotion.yes and report.comparison is None
    assert case.paths.page.is_file()
    version = registry.get(tracker, case.name, "@champion")
    assert version.tags["winner"] == "tfidf" and version.tags["verdict"] == "fine-tune"
    assert {"accuracy", "spec_hash", "rows_digest", "use_case", registry.KEY, registry.PROMOTION} <= set(version.tags)
    assert registry.fetch_reference(tracker, version, case.paths.build / "reference.parquet")
    described = reference.read(case.paths.build / "reference.parquet")
    assert {row.split for row in described} == {"dev", "test"} and all(row.logged["confidence"] for row in described)
    run = tracker.client.get_run(version.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", f"{case.name} v1")
    assert run.data.metrics["accuracy"] == 0.874 and run.data.params["split"] == "test"
    assert run.data.metrics["cost_wall_s"] == 3.0
    assert {item.path for item in tracker.client.list_artifacts(version.run_id)} == {
        "spec", "reports", "reference", "decision.html"
    }  # fmt: skip
    spec = {Path(item.path).name for item in tracker.client.list_artifacts(version.run_id, "spec")}
    assert {"model.yaml", "labels.yaml", "prices.yaml", "dvc.yaml"} <= spec


def test_a_measure_of_a_label_with_a_question_mark_is_a_tag_too(case: UseCase, uri: str, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case)
    path = case.paths.report("evaluate")
    evaluated = store.read_report(path, EvaluateReport, case.name)
    with_floor = [
        each.model_copy(
            update={"metrics": {**each.metrics, "recall/card lost?": each.quality, "f1/none": share_of(0, 0)}}
        )
        for each in evaluated.candidates
    ]
    store.write_report(path, evaluated.model_copy(update={"candidates": tuple(with_floor)}))
    assert registered(case, uri).version == "1"
    version = registry.get(tracker, case.name, "1")
    assert version.tags["recall/card lost_"] == version.tags["accuracy"] and "f1/none" not in version.tags


def test_a_first_version_below_a_floor_does_not_become_champion(case: UseCase, uri: str) -> None:  # noqa: F811
    strict = respecified(case, "p99_ms: 50}", "p99_ms: 50, macro_f1: 0.95}")
    examples.make_life(strict)
    report = registered(strict, uri)
    assert (report.aliases, report.champion_version) == (("challenger",), None)
    assert report.promotion.reason.startswith("not promoted: its macro F1 is ")


def test_same_again_changes_nothing(case: UseCase, uri: str, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case)
    first = registered(case, uri)
    case.paths.page.unlink()
    report = registered(case, uri, at="2026-11-22T10:00:00+00:00")
    assert report.version == "1" and report.aliases == ("champion",)
    assert (report.promotion, report.comparison) == (first.promotion, None)
    assert case.paths.page.is_file()
    assert len(registry.versions(tracker, case.name)) == 1
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`tailtune.stage` = 'register'")
    assert len(runs) == 1


def test_clearly_better_one_takes_the_alias_and_a_worse_one_does_not(case: UseCase, uri: str, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case, weak=True)
    registered(case, uri)
    examples.make_life(case)
    better = registered(case, uri, at="2026-11-21T10:00:00+00:00")
    assert (better.version, better.aliases, better.champion_version) == ("2", ("champion",), "2")
    assert better.comparison is not None and better.comparison.difference.low > 0
    model_yaml = case.paths.model_yaml.read_text().replace("min_rows: 200", "").replace("epochs: 4", "epochs: 5")
    case.paths.model_yaml.write_text(model_yaml)
    changed = load_use_case(case.paths.project, case.name)
    examples.make_life(changed, weak=True)
    worse = registered(changed, uri, at="2026-11-22T10:00:00+00:00")
    assert (worse.version, worse.aliases, worse.champion_version) == ("1", ("challenger",), "2")
    assert "not promoted" in worse.promotion.reason
    assert registry.get(tracker, case.name, "v2").aliases == ("champion",)


def test_what_is_clearly_worse_in_a_slice_is_named_and_blocked_where_asked(case: UseCase, uri: str) -> None:  # noqa: F811
    strict = respecified(case, "register: {}", "register: {block_slices: true}")
    path = case.paths.rows("test")
    rows = [replace(row, slices=(("channel", "mail"),)) for row in store.read_rows(path, "test", case.name)]
    store.write_rows(path, [rows], ("channel",))
    examples.make_life(strict)
    assert registered(strict, uri).slices == ()
    examples.make_life(strict, weak=True)
    report = registered(strict, uri, at="2026-11-22T10:00:00+00:00")
    assert [(change.name, change.value, change.is_worse) for change in report.slices] == [("channel", "others", True)]
    assert report.promotion.reason.startswith(
        "not promoted: clearly worse than the champion in a slice: channel others"
    )
    assert report.aliases == ("challenger",)


def respecified(case: UseCase, old: str, new: str) -> UseCase:  # noqa: F811
    text = case.paths.model_yaml.read_text()
    assert old in text
    case.paths.model_yaml.write_text(text.replace(old, new))
    return load_use_case(case.paths.project, case.name)


def test_rerun_keeps_why_the_champion_was_promoted(case: UseCase, uri: str) -> None:  # noqa: F811
    examples.make_life(case, weak=True)
    registered(case, uri)
    examples.make_life(case)
    better = registered(case, uri, at="2026-11-21T10:00:00+00:00")
    again = registered(case, uri, at="2026-11-22T10:00:00+00:00")
    assert again.version == "2" and better.comparison is not None
    assert (again.promotion, again.comparison) == (better.promotion, better.comparison)


def test_same_model_under_another_rule_is_the_same_version_and_meets_the_gate_again(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    tracker: Tracker,  # noqa: F811
) -> None:
    examples.make_life(case, weak=True)
    registered(case, uri)
    wide = respecified(case, "p99_ms: 50}", "p99_ms: 50, margin: 0.45}")  # 15 test rows show no less
    changed = respecified(wide, "register: {}", "register: {promote_if: not-worse}")
    assert registered(changed, uri, at="2026-11-21T10:00:00+00:00").version == "1"
    model_files = Path(
        tracker.client.download_artifacts(registry.get(tracker, case.name, "1").run_id, "spec/model.yaml")
    )
    assert "not-worse" in model_files.read_text()

    (case.paths.stage("ladder") / "rungs" / "tfidf" / "more.txt").write_text("other bytes, the same answers")
    equal = registered(case, uri, at="2026-11-22T10:00:00+00:00")
    assert (equal.version, equal.aliases) == ("2", ("challenger",))
    report = registered(changed, uri, at="2026-11-23T10:00:00+00:00")
    assert (report.version, report.aliases, report.champion_version) == ("2", ("champion",), "2")
    assert report.promotion.reason.startswith("not worse")
    assert len(registry.versions(tracker, case.name)) == 2


def test_within_the_margin_declared_dollars_decide(case: UseCase, uri: str) -> None:  # noqa: F811
    examples.make_life(case)
    for report in (prompted.prompt(case), prompted.diagnose(case)):
        store.write_report(case.paths.report(report.stage), report)
    registered(case, uri)
    wide = respecified(case, "p99_ms: 50}", "p99_ms: 50, margin: 0.45}")
    valued = respecified(wide, "value: {}", "value: {requests_per_day: 1000, error_usd: 0.5}")
    changed = respecified(valued, "register: {}", "register: {promote_if: not-worse}")
    (case.paths.stage("ladder") / "rungs" / "tfidf" / "more.txt").write_text("other bytes, the same answers")
    equal = registered(changed, uri, at="2026-11-22T10:00:00+00:00")
    assert equal.promotion.yes
    assert "neither is the dearer over 12 months, wrong answers included: the candidate's net value is $0 " in (
        equal.promotion.reason
    )


def test_champion_of_another_split_is_not_compared(case: UseCase, uri: str, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case, weak=True)
    registered(case, uri)
    salted = respecified(case, "split: {}", "split: {salt: other}")
    examples.make_life(salted)
    report = registered(salted, uri, at="2026-11-21T10:00:00+00:00")
    assert (report.version, report.aliases, report.champion_version) == ("2", ("challenger",), "1")
    assert report.comparison is None and not report.promotion.yes
    assert "split differently" in report.promotion.reason and "move the alias `champion`" in report.promotion.reason
    tracker.client.set_registered_model_alias(case.name, "champion", "2")
    by_hand = registered(salted, uri, at="2026-11-22T10:00:00+00:00")
    assert by_hand.promotion.yes and by_hand.promotion.reason.startswith("made champion by hand")


def test_every_version_that_is_compared_is_a_look_at_its_test_rows_and_a_rerun_is_none(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    tracker: Tracker,  # noqa: F811
) -> None:
    examples.make_life(case)
    assert registered(case, uri).look is None
    looks = []
    for attempt in ("one", "two", "two", "one"):
        (case.paths.stage("ladder") / "rungs" / "tfidf" / "more.txt").write_text(attempt)
        report = registered(case, uri, at=f"2026-11-2{len(looks) + 1}T10:00:00+00:00")
        assert report.look is not None and f"look {report.look.number} of this test set" in report.promotion.reason
        looks.append((report.version, report.look.number))
    assert looks == [("2", 1), ("3", 2), ("3", 2), ("2", 1)]
    challenger = registry.get(tracker, case.name, "3")
    assert challenger.tags["tailtune.looks"] == '{"1": 2}'
    assert tracker.client.get_run(challenger.run_id).data.tags["tailtune.look"] == "look 2 of this test set"


def test_champion_keeps_the_look_and_the_slices_with_which_it_won(case: UseCase, uri: str) -> None:  # noqa: F811
    path = case.paths.rows("test")
    examples.make_life(case, weak=True)
    rows = [replace(row, slices=(("channel", "mail"),)) for row in store.read_rows(path, "test", case.name)]
    registered(case, uri)
    examples.make_life(case)
    store.write_rows(path, [rows], ("channel",))
    better = registered(case, uri, at="2026-11-21T10:00:00+00:00")
    rerun = registered(case, uri, at="2026-11-22T10:00:00+00:00")
    assert better.look is not None and better.look.number == 1 and rerun.look == better.look
    assert better.slices and rerun.slices == better.slices


def test_edited_and_unpinned_rows_are_not_registered(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    tracker: Tracker,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(case.paths.project.root / "site"))
    project = case.paths.project
    Repo.init(str(project.root), no_scm=True).close()
    case.paths.data.mkdir(parents=True)
    (case.paths.data / "tickets.jsonl").write_text("one")
    pinned = versions.pin_data(project)
    examples.make_life(case)
    (case.paths.data / "tickets.jsonl").write_text("two")
    with pytest.raises(UsageError, match=r"not as data\.dvc pins it") as raised:
        registered(case, uri)
    assert raised.value.hint == f"tailtune run {case.name}"
    assert registry.versions(tracker, case.name) == ()
    renewed = versions.pin_data(project, case.name)
    registered(case, uri)
    assert registry.get(tracker, case.name, "1").tags["data_hash"] == renewed != pinned


@pytest.mark.parametrize("moment", ["before_version", "before_alias", "before_settled"])
def test_kill_9_leaves_nothing_half_registered(case: UseCase, uri: str, tracker: Tracker, moment: str) -> None:  # noqa: F811
    examples.make_life(case)
    patch = {
        "before_version": "registry.create = die",
        "before_alias": "registry.settle = die",
        "before_settled": "MlflowClient.set_model_version_tag = die",
    }[moment]
    script = f"""
from tailtune.config.settings import Settings, quiet_environment
quiet_environment()
import os
from pathlib import Path
from mlflow.tracking import MlflowClient
from tailtune.core.progress import Silent
from tailtune.services.mlflow import connect, registry
from tailtune.tasks.use_case import load_use_case
from tailtune.config.paths import Paths
from tailtune.lifecycle.register import step
from tailtune.lifecycle.context import Context
def die(*args, **kwargs): os.kill(os.getpid(), 9)
{patch}
case = load_use_case(Paths(Path({str(case.paths.project.root)!r})), {case.name!r})
step.run(Context(case, Settings(), Silent(), connect({uri!r}, case), "register"))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    left = registry.versions(tracker, case.name)
    assert [set(v.tags) >= {registry.KEY, "accuracy", "winner", "spec_hash"} for v in left] == [True] * len(left)
    assert len(left) == (0 if moment == "before_version" else 1)
    report = registered(case, uri)
    assert (report.version, report.aliases, report.promotion.yes) == ("1", ("champion",), True)
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`tailtune.stage` = 'register'")
    statuses = sorted(run.info.status for run in runs)
    assert statuses == (["FINISHED", "KILLED"] if moment == "before_version" else ["FINISHED"])


def test_missing_model_files_are_told(case: UseCase, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case)
    (case.paths.stage("ladder") / "rungs" / "tfidf" / "predictor.json").unlink()
    with pytest.raises(MissingInputError, match="build/support-tickets/ladder/rungs/tfidf"):
        perform("register", Context(case, Settings(), Silent(), tracker))


def test_predictor_that_does_not_answer_is_never_registered(case: UseCase, tracker: Tracker) -> None:  # noqa: F811
    examples.make_life(case)
    (case.paths.stage("ladder") / "rungs" / "tfidf" / "arrays.safetensors").write_bytes(b"torn")
    with pytest.raises(TailTuneError, match="does not answer"):
        perform("register", Context(case, Settings(), Silent(), tracker))
    assert registry.versions(tracker, case.name) == ()


def test_unknown_version_lists_those_there_are(case: UseCase, tracker: Tracker) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="there is none yet"):
        registry.get(tracker, case.name, "champion")


@pytest.mark.servers
def test_against_a_real_server(case: UseCase, server: str, tmp_path: Path) -> None:  # noqa: F811
    examples.make_life(case, weak=True)
    tracker = connect(server, case)  # noqa: F811
    for report in examples.everything(case):
        publish(tracker, report)
    assert registered(case, server).aliases == ("champion",)
    examples.make_life(case)
    second = registered(case, server, at="2026-11-21T10:00:00+00:00")
    assert (second.version, second.champion_version) == ("2", "2")
    champion = registry.get(tracker, case.name, "champion")
    stored = require(server, case.name, champion.version)
    assert (fetch(server, stored, tmp_path / "fetched") / "predictor.json").is_file()
    model_files = registry.fetch_model_files(tracker, champion, tmp_path / "files")
    assert (model_files / "spec" / "model.yaml").read_text() == case.paths.model_yaml.read_text()
