import math
import posixpath

import pytest
from services.mlflow import examples, prompted

from report import fixtures
from tailtune.core.records import Cost, Decision
from tailtune.core.reports import REPORTS, Question, RegisterReport
from tailtune.core.run_plan import columns, cost_points, cost_tags, metric_name, points
from tailtune.report.mlflow import plan
from tailtune.tasks.use_case import UseCase

QUALITY = {
    "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high",
    "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "usd_per_1000", "invalid_rows",
}  # fmt: skip


def test_every_kind_of_report_has_a_shape(case: UseCase) -> None:
    registered = RegisterReport(
        use_case=case.name,
        stage="register",
        model="m",
        version="3",
        run_id="r",
        uri="models:/m/3",
        aliases=("champion",),
        promotion=Decision(yes=True, reason="first"),
        winner="probe",
        page="decision.html",
    )
    prompts = (prompted.prompt(case), prompted.diagnose(case))
    reports = (*examples.everything(case), *prompts, fixtures.export(), registered)
    assert {report.stage for report in reports} == set(REPORTS)
    for report in reports:
        assert plan(report, case.spec).name
    assert plan(registered, case.spec).name == "m v3"


def test_an_export_says_what_each_candidate_is_served_with(case: UseCase) -> None:
    found = plan(fixtures.export(), case.spec)
    assert found.name == "export: lora int8, probe int8-mixed"
    assert [child.params["weights"] for child in found.children] == ["int8", "int8-mixed"]
    figures = {point.name: point.value for point in found.children[1].metrics}
    assert (figures["same_answer"], figures["megabytes"], figures["difference"]) == (0.995, 34.0, 0.0)
    assert plan(fixtures.export().model_copy(update={"models": ()}), case.spec).name == "export: nothing to export"


def test_rungs_candidates_and_training_share_their_metric_names(case: UseCase) -> None:
    rungs = plan(examples.ladder(case), case.spec).children
    candidates = plan(examples.evaluate(case), case.spec).children
    assert len(rungs) == 6 and len(candidates) == 7
    for child in (*rungs, *candidates):
        assert {point.name for point in child.metrics} >= QUALITY
    assert {child.params["split"] for child in rungs} == {"dev"}
    assert {child.params["split"] for child in candidates} == {"test"}
    training = plan(examples.train(case), case.spec)
    assert training.params["split"] == "dev"
    assert [p.value for p in training.metrics if p.name == "accuracy"] == [pytest.approx(0.944)]
    assert [p.step for p in training.metrics if p.name == "train_loss"] == [1, 2, 3, 4]


def test_what_is_not_known_is_not_logged() -> None:
    assert [p.name for p in points({"a": None, "b": math.nan, "c": 0.0, "d": math.inf})] == ["c"]
    cost = Cost(wall_s=1, cpu_s=1, peak_memory_mb=1, usd=None, bought_usd=None)
    assert {p.name for p in cost_points(cost)} == {"cost_wall_s", "cost_cpu_s", "cost_peak_memory_mb"}
    assert cost_tags(cost) == {"tailtune.cost_unknown": "cost_usd, cost_bought_usd"}
    assert cost_points(None) == () and cost_tags(None) == {}


def test_what_was_bought_is_beside_what_the_machine_cost() -> None:
    cost = Cost(wall_s=1, cpu_s=1, peak_memory_mb=1, usd=0.002, bought_usd=0.0)
    assert {p.name: p.value for p in cost_points(cost)}.items() >= {"cost_usd": 0.002, "cost_bought_usd": 0.0}.items()
    assert cost_tags(cost) == {}


def test_a_tables_cell_is_a_figure_or_a_text(case: UseCase) -> None:
    question = Question(question="Q?", answer="yes", evidence="e", figures={"rows": 8290.0, "share": 0.25})
    assert columns([question])["figures"] == ["rows 8290, share 0.25"]
    decided = examples.decide(case).model_copy(update={"questions": (question,)})
    found = {point.name: point.value for point in plan(decided, case.spec).metrics}
    assert (found["evidence/rows"], found["evidence/share"]) == (8290.0, 0.25)


def test_failing_gate_is_a_failed_run_that_says_why(case: UseCase) -> None:
    shape = plan(examples.validate(case, passed=False), case.spec)
    assert shape.status == "FAILED"
    assert "Every label is one of the declared set." in shape.note
    assert shape.tables["expectations.json"]["bad_origins"] == ["tickets.jsonl:12, tickets.jsonl:99"]
    assert plan(examples.validate(case), case.spec).status == "FINISHED"


def test_no_training_is_told_and_has_no_metrics(case: UseCase) -> None:
    shape = plan(examples.train(case, trained=False), case.spec)
    assert shape.name == "train: not trained" and shape.metrics == ()
    assert "probe meets the target" in shape.note


def test_metric_names_are_what_mlflow_accepts() -> None:
    assert metric_name("dropped/too long (>2000)") == "dropped/too long __2000_"


def test_labels_that_are_written_alike_keep_their_own_figures() -> None:
    long = "f1/" + "long label " * 30
    found = points({"f1/C#": 0.1, "f1/C+": 0.2, "f1/Java": 0.3, long: 0.4, f"{long}_low": 0.5})
    names = [point.name for point in found]
    assert len(set(names)) == 5 and names[2] == "f1/Java" and all(len(name) <= 250 for name in names)
    assert names[0].startswith("f1/C__") and [point.value for point in found] == [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("recall/and/or", "recall/and/or"),
        ("recall/TV/", "recall/TV/_"),
        ("f1/a//b", "f1/a/_/b"),
        ("recall/..", "recall/_"),
        ("recall/.", "recall/_"),
        ("recall/" + "x" * 241 + "/y", "recall/" + "x" * 235 + "_728c84"),
    ],
)
def test_a_label_that_looks_like_a_path_leads_nowhere_else(name: str, written: str) -> None:
    """MLflow refuses a whole batch of metrics for one name that is not a plain path."""
    assert metric_name(name) == written
    assert posixpath.normpath(written) == written and len(written) <= 250
