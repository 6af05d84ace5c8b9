"""What may win is exported for serving, as far reduced as its answers stay the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from predictors.prompted.scripted import CODEC, SHOWING, SPEC
from project import NAME, context, copy, lived, respec, rows_of, run, untracked

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError
from tailtune.core.reports import ExportReport
from tailtune.judge import parity
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.prompted.examples import Example, Nearest
from tailtune.predictors.prompted.rung import Prompted
from tailtune.services import store
from tailtune.tasks import saved


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return lived(tmp_path_factory)


@pytest.fixture
def mine(paths: Paths, tmp_path: Path) -> Paths:
    return copy(paths, tmp_path / "p")


def best_rung(paths: Paths, name: str | None = None, train: bool = True) -> str:
    """The best rung of the decision, after putting another in its place."""
    file = paths.case(NAME).ticket
    ticket = json.loads(file.read_text(encoding="utf-8"))
    if name is not None:
        file.write_text(json.dumps({**ticket, "best_rung": name, "train": train}), encoding="utf-8")
    return name or str(ticket["best_rung"])


def test_the_fine_tune_and_the_best_rung_are_exported_and_answer_as_before(paths: Paths) -> None:
    case = paths.case(NAME)
    report = store.read_report(case.report("export"), ExportReport, NAME)
    assert [model.name for model in report.models] == ["lora", best_rung(paths)]
    texts = [row.text for row in rows_of(paths, "test")]
    for model, original in zip(
        report.models, (case.stage("train") / "model", case.stage("ladder") / "rungs" / best_rung(paths)), strict=True
    ):
        exported = case.stage("export") / "models" / model.name
        assert model.tries[-1].passed
        assert model.tries[-1].same.rows == len(rows_of(paths, "train")) + len(rows_of(paths, "dev"))
        assert model.tries[-1].difference.rows == len(rows_of(paths, "dev"))
        assert model.megabytes == round((exported / "encoder" / "encoder.onnx").stat().st_size / 1e6, 1)
        with untracked():
            before, after = saved.load(original).answer(texts), saved.load(exported).answer(texts)
        same = [first.value == second.value for first, second in zip(before, after, strict=True)]
        assert sum(same) / len(same) > 0.95
    files = [file for file in case.stage("export").rglob("*") if file.is_file()]
    assert not [file for file in files if str(paths.root).encode() in file.read_bytes()]


def test_weights_are_less_and_less_reduced_until_the_answers_are_the_same(
    mine: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    best_rung(mine, best_rung(mine), train=False)
    monkeypatch.setattr(parity, "LEAST_SAME", 1.01)
    report = perform("export", context(mine))
    (model,) = report.models
    assert [(each.weights, each.passed) for each in model.tries] == [
        *(("int8", False), ("int8-mixed", False), ("fp32", True))
    ], "float32 stays when nothing passes"
    assert model.weights == "fp32" and model.megabytes > 80


def test_where_nothing_is_trained_no_fine_tune_is_exported(mine: Paths) -> None:
    respec(mine, {"targets": {"accuracy": 0.3}})
    report = run(mine, "decide", "train", "export")[-1]
    assert isinstance(report, ExportReport)
    assert ([model.name for model in report.models], report.as_they_are) == ([], (saved.title(best_rung(mine)),))


def test_a_candidate_without_an_encoder_is_served_as_it_is(mine: Paths) -> None:
    best_rung(mine, "tfidf", train=False)
    report = perform("export", context(mine))
    assert (report.models, report.as_they_are) == ((), ("TF-IDF + linear",))
    assert not (mine.case(NAME).stage("export") / "models").exists()


def test_a_prompt_that_looks_up_examples_is_exported_without_asking_its_model(mine: Paths) -> None:
    prompted(mine, "lm_retrieval")
    report = perform("export", context(mine))
    (model,) = report.models
    assert (model.name, model.weights, model.tries) == ("lm_retrieval", "fp32", ())
    assert (mine.case(NAME).stage("export") / "models" / "lm_retrieval" / "encoder" / "encoder.onnx").is_file()


@pytest.mark.parametrize("missing", ["the best rung", "the model"])
def test_a_candidate_that_should_be_there_is_missed(mine: Paths, missing: str) -> None:
    case = mine.case(NAME)
    rung = case.stage("ladder") / "rungs" / best_rung(mine)
    shutil.rmtree(rung if missing == "the best rung" else case.stage("train") / "model")
    if missing == "the best rung":
        best_rung(mine, best_rung(mine), train=False)
    with pytest.raises(MissingInputError, match="its files are not there") as caught:
        perform("export", context(mine))
    assert caught.value.hint == f"tailtune run {NAME}"


def prompted(paths: Paths, name: str) -> None:
    """Make a prompt that shows the nearest rows the best rung."""
    best_rung(paths, name, train=False)
    rows = rows_of(paths, "train")[:5]
    with untracked():
        embed = Encoder.load().embed
        shown = [Example(row.text, row.label, row.label) for row in rows]
        examples = Nearest(shown, embed([row.text for row in rows]), 2, embed)
    folder = paths.case(NAME).stage("prompt") / "rungs" / name
    folder.mkdir(parents=True)
    Prompted(name, SHOWING, CODEC, SPEC, examples).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS[name], ())
