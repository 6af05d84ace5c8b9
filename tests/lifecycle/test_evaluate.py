"""Test is opened once; every figure follows from the answers that are left beside it."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from judge.evidence import mcnemar
from project import NAME, context, copy, jsonl, lived, respec, rows_of, run
from sklearn.metrics import confusion_matrix, f1_score

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError
from tailtune.core.reports import DecideReport, EvaluateReport, TrainReport
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.classification.config import RUNGS


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return lived(tmp_path_factory)


@pytest.fixture(scope="module")
def report(paths: Paths) -> EvaluateReport:
    return store.read_report(paths.case(NAME).report("evaluate"), EvaluateReport, NAME)


@pytest.fixture(scope="module")
def answers(paths: Paths) -> list[dict[str, str]]:
    return jsonl(paths.case(NAME).stage("evaluate") / "test_answers.jsonl")


def test_the_fine_tune_and_every_rung_answer_every_test_row(
    paths: Paths, report: EvaluateReport, answers: list[dict[str, str]]
) -> None:
    test = rows_of(paths, "test")
    assert report.test_rows == len(test) == 54
    assert [item.name for item in report.candidates] == ["lora", *RUNGS]
    assert [(a["id"], a["origin"], a["expected"]) for a in answers] == [(r.id, r.origin, r.label) for r in test]


def test_the_figures_follow_from_the_answers(report: EvaluateReport, answers: list[dict[str, str]]) -> None:
    expected = [answer["expected"] for answer in answers]
    for item in report.candidates:
        lines = [answer[item.name] for answer in answers]
        assert item.quality.value == np.mean([a == b for a, b in zip(lines, expected, strict=True)])
        macro = f1_score(expected, lines, average="macro", labels=sorted(set(expected)), zero_division=0)
        assert item.metrics["macro_f1"].value == pytest.approx(macro)
        assert 0 <= item.ece <= 1
    timed = {item.name for item in report.candidates if item.latency is not None}
    assert timed == {"lora", best(report)}
    assert all((item.usd_per_1000 is None) == (item.latency is None) for item in report.candidates)


def best(report: EvaluateReport) -> str:
    assert report.comparison is not None
    return report.comparison.second


def test_the_comparison_is_paired_by_row(paths: Paths, report: EvaluateReport, answers: list[dict[str, str]]) -> None:
    comparison = report.comparison
    assert comparison is not None
    ticket = json.loads(paths.case(NAME).ticket.read_text(encoding="utf-8"))
    assert (comparison.first, comparison.second) == ("lora", ticket["best_rung"])
    only_first = sum(a["lora"] == a["expected"] != a[comparison.second] for a in answers)
    only_second = sum(a[comparison.second] == a["expected"] != a["lora"] for a in answers)
    assert (comparison.only_first_right, comparison.only_second_right) == (only_first, only_second)
    assert comparison.difference.value == pytest.approx((only_first - only_second) / 54)
    assert comparison.p == pytest.approx(mcnemar(only_first, only_second))
    assert report.winner == ("lora" if comparison.difference.low > 0 else comparison.second)
    assert report.winner_reason


def test_failures_are_exactly_the_rows_the_winner_got_wrong(
    paths: Paths, report: EvaluateReport, answers: list[dict[str, str]]
) -> None:
    winner = report.winner
    other = best(report) if winner == "lora" else "lora"
    failures = jsonl(paths.case(NAME).stage("evaluate") / "failures.jsonl")
    texts = {row.origin: row.text for row in rows_of(paths, "test")}
    known = {
        (a["origin"], texts[a["origin"]], a["expected"], a[winner], a[other])
        for a in answers
        if a[winner] != a["expected"]
    }
    assert known, "nothing failed: the sentences are too easy for this test"
    lines = {(f["origin"], f["text"], f["expected"], f["answered"], f[f"{other}_answered"]) for f in failures}
    assert lines == known
    assert report.failures == len(failures) == len(known)
    confidence = [f["confidence"] for f in failures]
    assert confidence == sorted(confidence, reverse=True)


def test_classes_confusions_and_bins_are_the_winners(report: EvaluateReport, answers: list[dict[str, str]]) -> None:
    expected, lines = [a["expected"] for a in answers], [a[report.winner] for a in answers]
    labels = sorted(set(expected) | set(lines))
    table = confusion_matrix(expected, lines, labels=labels)
    wrong = {
        (labels[i], labels[j]): int(table[i, j])
        for i in range(len(labels)) for j in range(len(labels)) if i != j and table[i, j]
    }  # fmt: skip
    assert {(c.expected, c.answered): c.rows for c in report.confusions} == wrong
    assert sum(item.rows for item in report.per_class) == 54
    assert all(not math.isnan(item.f1_other) for item in report.per_class)
    assert sum(bin_.rows for bin_ in report.calibration) == 54
    found = sum(b.rows * abs(b.confidence - b.accuracy) for b in report.calibration) / 54
    assert found == pytest.approx(next(item.ece for item in report.candidates if item.name == report.winner))


def test_a_verdict_to_stay_trains_nothing_and_the_rung_wins(paths: Paths, tmp_path: Path) -> None:
    """Also where a model of an earlier training lies around."""
    other = copy(paths, tmp_path / "p")
    respec(other, {"targets": {"accuracy": 0.3}})
    model = other.case(NAME).stage("train") / "model"
    assert (model / saved.CARD).is_file()
    decided, trained, _, evaluated = run(other, "decide", "train", "export", "evaluate")
    assert isinstance(decided, DecideReport)
    assert isinstance(trained, TrainReport)
    assert isinstance(evaluated, EvaluateReport)
    assert (decided.verdict, decided.train.yes) == ("stay", False)
    assert (trained.trained, trained.epochs) == (False, ())
    assert "the decision says no" in trained.reason
    assert not model.exists()
    ticket = json.loads(other.case(NAME).ticket.read_text(encoding="utf-8"))
    assert evaluated.winner == ticket["best_rung"]
    assert evaluated.comparison is None
    assert [item.name for item in evaluated.candidates] == list(RUNGS)
    assert evaluated.winner_reason == f"nothing was trained; {saved.title(evaluated.winner)} answers"
    assert all(math.isnan(item.f1_other) for item in evaluated.per_class)
    failures = jsonl(other.case(NAME).stage("evaluate") / "failures.jsonl")
    assert len(failures) == evaluated.failures
    assert all(set(f) == {"origin", "text", "expected", "answered", "confidence"} for f in failures)


def test_the_verdict_is_about_what_was_seen_when_it_was_decided(paths: Paths, tmp_path: Path) -> None:
    """Neither what training left behind nor a commit in between changes what is reckoned."""
    other = copy(paths, tmp_path / "p")
    case = other.case(NAME)
    respec(other, {"value": {"requests_per_day": 100, "error_usd": 0.1}})
    (decided,) = run(other, "decide")
    assert isinstance(decided, DecideReport)
    assert decided.surroundings is not None and decided.surroundings.kept_gb > 0
    seen = decided.surroundings.model_copy(update={"seen_days": 40.0, "kept_gb": 7.0})
    store.write_report(case.report("decide"), decided.model_copy(update={"surroundings": seen}))
    (evaluated,) = run(other, "evaluate")
    assert isinstance(evaluated, EvaluateReport) and evaluated.final is not None
    economics = evaluated.final.economics
    assert economics is not None and "value.change_every_days" not in " ".join(economics.unknown)
    lines = {line.what: line.basis for line in economics.candidates[0].lines}
    assert lines["storage"].startswith("7 GB")
    assert lines["changes of behaviour"].startswith("9.13 ")


@pytest.mark.parametrize("missing", ["ticket", "test"])
def test_without_what_it_reads_it_says_what_to_run(paths: Paths, tmp_path: Path, missing: str) -> None:
    other = copy(paths, tmp_path / "p")
    case = other.case(NAME)
    (case.ticket if missing == "ticket" else case.rows("test")).unlink()
    with pytest.raises(MissingInputError) as caught:
        perform("evaluate", context(other))
    assert caught.value.hint == f"tailtune {'run' if missing == 'ticket' else 'curate'} {NAME}"


@pytest.mark.parametrize("missing", ["the best rung", "the model"])
def test_a_candidate_that_should_be_there_is_missed(paths: Paths, tmp_path: Path, missing: str) -> None:
    """A fine-tune that was decided for must not silently lose because its training never ended."""
    other = copy(paths, tmp_path / "p")
    case = other.case(NAME)
    ticket = json.loads(case.ticket.read_text(encoding="utf-8"))
    rung = case.stage("ladder") / "rungs" / ticket["best_rung"]
    shutil.rmtree(rung if missing == "the best rung" else case.stage("train") / "model")
    shutil.rmtree(case.stage("export") / "models")
    with pytest.raises(MissingInputError, match="its files are not there") as caught:
        perform("evaluate", context(other))
    assert caught.value.hint == f"tailtune run {NAME}"


def test_labels_of_test_are_checked_by_rungs_that_never_saw_them(paths: Paths, report: EvaluateReport) -> None:
    lines = jsonl(paths.case(NAME).stage("evaluate") / "suspect_labels.jsonl")
    assert report.labels is not None
    assert (report.labels.split, report.labels.rows, report.labels.suspect_rows) == ("test", 54, len(lines))
    assert {line["id"] for line in lines} <= {row.id for row in rows_of(paths, "test")}
    assert 0 < len(lines) < 12  # about one label in eight is wrong
    assert "lies above what the test labels can show" in report.ceiling  # the target is 99.9 %
