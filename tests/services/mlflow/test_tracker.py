import hashlib
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.write import PARENT
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY


def runs(tracker: Tracker, condition: str = "") -> list:  # type: ignore[type-arg]
    return list(tracker.client.search_runs([tracker.experiment_id], condition))


def test_whole_life_becomes_runs_that_can_be_compared(case: UseCase, tracker: Tracker) -> None:
    for report in examples.everything(case):
        publish(tracker, report)
    top = [run for run in runs(tracker) if PARENT not in run.data.tags]
    assert {run.data.tags["tailtune.stage"] for run in top} == {
        "curate", "validate", "ladder", "decide", "train", "evaluate"
    }  # fmt: skip
    for run in top:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["cost_wall_s"] > 0 and "cost_usd" in run.data.metrics
        assert run.data.tags["tailtune.use_case"] == case.name and run.data.tags["tailtune.rows_digest"]
    nested = {run.info.run_name: run for run in runs(tracker) if PARENT in run.data.tags}
    probe = next(
        run for run in runs(tracker, "params.split = 'dev' and params.rung = 'probe'") if PARENT in run.data.tags
    )
    assert probe.info.run_name == "Frozen encoder + linear probe"
    assert probe.data.metrics["accuracy"] == 0.907 and probe.data.metrics["accuracy_low"] < 0.907
    assert "LoRA fine-tune" in nested and "cost_wall_s" not in probe.data.metrics


def test_inputs_carry_the_digest_dvc_has(case: UseCase, tracker: Tracker) -> None:
    run = tracker.client.get_run(publish(tracker, examples.ladder(case)))
    digests = {item.tags[0].value: item.dataset.digest for item in run.inputs.dataset_inputs}
    expected = {s: hashlib.md5(case.paths.rows(s).read_bytes()).hexdigest() for s in ("train", "dev")}
    assert digests == expected
    assert json.loads(run.inputs.dataset_inputs[0].dataset.profile)["num_rows"] > 0


def test_figures_and_tables_are_there(case: UseCase, tracker: Tracker, tmp_path: Path) -> None:
    failures = case.paths.stage("evaluate") / "failures.jsonl"
    failures.parent.mkdir(parents=True)
    failures.write_text('{"origin": "tickets.jsonl:3"}\n')
    run_id = publish(tracker, examples.evaluate(case))
    found = {item.path for item in tracker.client.list_artifacts(run_id)}
    assert {"per_class.json", "confusions.json", "calibration.json", "figures", "failures", "reports"} <= found
    drawn = {Path(item.path).name for item in tracker.client.list_artifacts(run_id, "figures")}
    assert {"quality.svg", "confusions.svg", "weakest.svg", "calibration.svg"} <= drawn
    picture = Path(tracker.client.download_artifacts(run_id, "figures/quality.svg", str(tmp_path))).read_text()
    assert picture.startswith("<svg") and ElementTree.fromstring(picture).tag.endswith("svg")
    table = json.loads(Path(tracker.client.download_artifacts(run_id, "per_class.json", str(tmp_path))).read_text())
    assert table["columns"][0] == "label" and len(table["data"]) == 5


def test_publishing_again_changes_nothing(case: UseCase, uri: str, tracker: Tracker) -> None:
    report = examples.ladder(case)
    first = publish(tracker, report)
    count = len(runs(tracker))
    assert publish(connect(uri, case), report) == first
    assert len(runs(tracker)) == count
    later = examples.ladder(case, at="2026-11-21T10:00:00+00:00")
    assert publish(tracker, later) != first
    assert len(runs(tracker)) == 2 * count


def test_learning_curve_is_a_metric_by_rows(case: UseCase, tracker: Tracker) -> None:
    run_id = publish(tracker, examples.ladder(case))
    history = tracker.client.get_metric_history(run_id, "curve_accuracy")
    assert [(point.step, point.value) for point in history] == [
        (1036, 0.842), (2072, 0.871), (4145, 0.893), (8290, 0.907)
    ]  # fmt: skip


def test_live_values_land_in_the_run_that_publish_finishes(case: UseCase, tracker: Tracker) -> None:
    for step in range(5):
        tracker.live("train", "loss", 2.0 - step / 10, step)
    assert [run.info.status for run in runs(tracker)] == ["RUNNING"]
    run_id = publish(tracker, examples.train(case))
    assert [run.info.run_id for run in runs(tracker)] == [run_id]
    assert len(tracker.client.get_metric_history(run_id, "live/loss")) == 5
    assert tracker.client.get_run(run_id).info.end_time >= tracker.client.get_run(run_id).info.start_time
    run = tracker.client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train: LoRA")


def test_what_a_killed_process_left_is_marked(case: UseCase, uri: str, tracker: Tracker) -> None:
    script = (
        "from tailtune.config.settings import quiet_environment; quiet_environment();"
        "import os; from pathlib import Path; from tailtune.services.mlflow import connect;"
        "from tailtune.tasks.use_case import load_use_case; from tailtune.config.paths import Paths;"
        f"case = load_use_case(Paths(Path({str(case.paths.project.root)!r})), {case.name!r});"
        f"tracker = connect({uri!r}, case); tracker.open_run('train', 'train (running)');"
        "tracker.open_run('ladder', 'ladder (running)'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert {run.info.status for run in runs(tracker)} == {"RUNNING"}
    publish(tracker, examples.train(case))
    by_stage = {(run.data.tags["tailtune.stage"], run.info.status) for run in runs(tracker)}
    assert by_stage == {("train", "KILLED"), ("train", "FINISHED"), ("ladder", "RUNNING")}


def test_open_runs_of_another_checkout_are_left_alone(
    case: UseCase, uri: str, tracker: Tracker, tmp_path: Path
) -> None:
    other = examples.make_case(tmp_path / "other-checkout")
    theirs = connect(uri, other).open_run("train", "train (running)")
    publish(tracker, examples.train(case))
    assert tracker.client.get_run(theirs).info.status == "RUNNING"


def test_torn_publication_is_done_again(case: UseCase, uri: str, tracker: Tracker) -> None:
    report = examples.evaluate(case)
    run_id = publish(tracker, report)
    tracker.client.update_run(run_id, status="RUNNING")  # as a kill before the last call leaves it
    again = publish(connect(uri, case), report)
    assert again != run_id
    assert tracker.client.get_run(run_id).info.status == "KILLED"
    children = [run for run in runs(tracker) if PARENT in run.data.tags]
    assert len(children) == len(report.candidates)
    assert {run.data.tags[PARENT] for run in children} == {again}


def test_failed_gate_shows_as_failed(case: UseCase, tracker: Tracker) -> None:
    run = tracker.client.get_run(publish(tracker, examples.validate(case, passed=False)))
    assert run.info.status == "FAILED"


def test_stage_duration_is_the_stages_own(case: UseCase, tracker: Tracker) -> None:
    info = tracker.client.get_run(publish(tracker, examples.ladder(case))).info
    assert info.end_time - info.start_time == 61_000
