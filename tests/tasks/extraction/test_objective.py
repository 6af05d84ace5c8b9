"""Extraction through the same loop: it learns, resumes to the last bit, and what is saved answers the same."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training.jobs import SCHEMA, claims, toy_fields, toy_job

from tailtune.core.errors import MissingInputError, TrainingError
from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.fine_tune import LoraExtractor
from tailtune.tasks.extraction.objective import FieldObjective
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.training import checkpoint, loop
from tailtune.training.loop import fit
from tailtune.training.objective import FitJob, FitResult, Progress, Visit

LONG = "reported by Ann Lee " * 40
TEXTS = [*claims(6, seed=9)[0], "", LONG]


class Killed(BaseException):
    """What a kill looks like from within."""


def ignore(progress: Progress) -> None:
    """Nobody watches."""


def job_of(encoder: Path, folder: Path, rows: int = 48, **changes: object) -> FitJob:
    texts, labels = claims(rows, seed=1)
    rates = {"learning_rate": 1e-2, "head_learning_rate": 5e-2}
    return toy_job(encoder, folder, goal=toy_fields(texts=texts, labels=labels), **rates | changes)


@pytest.fixture(scope="module")
def result(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    return fit(job_of(tiny_encoder, tmp_path_factory.mktemp("run"), rows=192, epochs=5, patience=5), ignore)


@pytest.fixture(scope="module")
def folder(result: FitResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    checkpoint.save_model(result, folder)
    return folder


def weights(result: FitResult) -> torch.Tensor:
    return torch.cat([t.detach().flatten() for t in (result.model.adapter, *result.objective.heads.values())])


def test_it_learns_spans_and_choices(result: FitResult, folder: Path, tiny_encoder: Path) -> None:
    assert result.dev_quality > 0.95
    assert result.history[-1].train_loss < result.history[0].train_loss / 3
    texts, labels = claims(40, seed=77)
    answers = LoraExtractor.load(folder, tiny_encoder).answer(texts)
    right = [
        {name: value for name, value in answer.values.items() if value not in (None, [])} == label.values
        for answer, label in zip(answers, labels, strict=True)
    ]
    assert np.mean(right) > 0.7


def test_the_adapter_and_heads_are_what_is_counted_as_trainable(result: FitResult, folder: Path) -> None:
    from safetensors.numpy import load_file

    saved = sum(tensor.size for path in folder.rglob("*.safetensors") for tensor in load_file(path).values())
    assert result.trainable == saved > 0


def test_what_is_written_is_portable_and_without_pickle(folder: Path) -> None:
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "head.safetensors",
        "schema.json",
        "tailtune.json",
    ]
    assert json.loads((folder / "schema.json").read_text()) == SCHEMA.document
    notes = json.loads((folder / "tailtune.json").read_text())
    assert notes["max_tokens"] == 32 and notes["train_spans"] == {"widened": 0, "lost": 0}


def test_what_is_saved_scores_as_what_was_trained(result: FitResult, folder: Path, tiny_encoder: Path) -> None:
    """The merged float32 encoder against the adapted one."""
    objective = result.objective
    assert isinstance(objective, FieldObjective)
    saved = LoraExtractor.load(folder, tiny_encoder)
    _, rows = objective._over_dev(result.model)
    for row, scores in zip(rows, saved.scores(toy_fields().dev_texts), strict=True):
        assert row.scores.tags is not None and scores.tags is not None
        assert np.allclose(row.scores.tags, scores.tags, atol=1e-3 if result.precision == "fp32" else 0.5)
        for mine, theirs in zip(row.scores.classes, scores.classes, strict=True):
            assert np.allclose(mine, theirs, atol=1e-3 if result.precision == "fp32" else 0.5)


def test_one_text_is_answered_as_among_others(folder: Path, tiny_encoder: Path) -> None:
    saved = LoraExtractor.load(folder, tiny_encoder)
    among = saved.answer(TEXTS)
    for text, answer in zip(TEXTS, among, strict=True):
        alone = saved.answer([text])[0]
        assert (alone.value, alone.spans, alone.reasons) == (answer.value, answer.spans, answer.reasons)
        assert alone.confidences == pytest.approx(answer.confidences, abs=1e-4)
    assert saved.answer([]) == []
    assert len({answer.value for answer in among}) > 3, "equal answers would pass the comparison above"


def test_a_text_longer_than_the_window_is_read_to_its_end(folder: Path, tiny_encoder: Path) -> None:
    spans = LoraExtractor.load(folder, tiny_encoder).answer([LONG])[0].spans
    assert max(span.end for span in spans) > len(LONG) - 30


def test_a_missing_file_is_named(folder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "schema.json").unlink()
    with pytest.raises(MissingInputError, match=r"schema\.json missing"):
        LoraExtractor.load(copy, tiny_encoder)


@pytest.mark.parametrize("step", [3, 10])
def test_killed_and_resumed_equals_uninterrupted(
    tiny_encoder: Path, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit: hidden tokens come from the step's number, head dropout from a state that is kept."""
    # A timing beside other tests may find another one for each run.
    monkeypatch.setattr(loop, "pick_dtype", lambda device: torch.float32)
    whole = fit(job_of(tiny_encoder, tmp_path / "whole", epochs=2), ignore)
    job = job_of(tiny_encoder, tmp_path / "killed", epochs=2, checkpoint_s=0.0)
    text: list[Progress] = []

    def watch(progress: Progress) -> None:
        text.append(progress)
        if len(text) == step:
            raise Killed

    with pytest.raises(Killed):
        fit(job, watch)
    resumed = fit(job, ignore)
    assert 0 < resumed.resumed_at_step < step
    assert torch.equal(weights(whole), weights(resumed))
    assert [epoch.dev_quality for epoch in resumed.history] == [epoch.dev_quality for epoch in whole.history]


def test_hidden_tokens_are_a_function_of_the_visit(tiny_encoder: Path, tmp_path: Path) -> None:
    from tailtune.training.model import AdaptedEncoder, LoraShape

    job = job_of(tiny_encoder, tmp_path, token_dropout=0.5)
    model = AdaptedEncoder(tiny_encoder, LoraShape(4, 8, 0.0, ("query",)), torch.float32, "cpu")
    objective = job.goal.begin(job, model)
    objective.heads["tag.weight"].data.normal_(generator=torch.Generator().manual_seed(1))

    def total(visit: Visit) -> float:
        torch.manual_seed(0)  # head dropout
        return float(sum(part.detach() for part in objective.losses(model, range(8), visit)))

    assert total(Visit(17, 0, 0)) == total(Visit(17, 0, 0))
    assert total(Visit(17, 0, 0)) != total(Visit(17, 1, 0)) != total(Visit(17, 1, 1))


def test_the_heads_start_with_how_frequent_each_tag_and_class_is(tiny_encoder: Path, tmp_path: Path) -> None:
    from tailtune.training.model import AdaptedEncoder, LoraShape

    job = job_of(tiny_encoder, tmp_path)
    model = AdaptedEncoder(tiny_encoder, LoraShape(4, 8, 0.0, ("query",)), torch.float32, "cpu")
    objective = job.goal.begin(job, model)
    objective.start(model)
    shares = objective.heads["tag.bias"].detach().exp()
    assert shares.sum() == pytest.approx(1.0) and shares.argmax() == 0 and shares[0] > 0.5
    police = objective.heads["field.bias"].detach()[-2:].exp()
    assert police.sum() == pytest.approx(1.0) and 0.3 < police[1] < 0.7


@pytest.mark.parametrize("fields", [SCHEMA.spanned, SCHEMA.classified])
def test_a_schema_of_one_sort_of_fields_is_learnt_too(tiny_encoder: Path, tmp_path: Path, fields: tuple) -> None:
    names = [field.name for field in fields]
    properties = {name: SCHEMA.document["properties"][name] for name in names}
    schema = schema_from(SCHEMA.document | {"required": names, "properties": properties})
    goal = replace(toy_fields(), schema=schema)
    result = fit(toy_job(tiny_encoder, tmp_path / "run", goal=goal, epochs=1), ignore)
    checkpoint.save_model(result, tmp_path / "model")
    answer = LoraExtractor.load(tmp_path / "model", tiny_encoder).answer(["reported by Bob"])[0]
    assert tuple(answer.values) == schema.names


def test_spans_that_no_word_says_exactly_are_counted(tiny_encoder: Path, tmp_path: Path) -> None:
    from tailtune.training.model import AdaptedEncoder, LoraShape

    text = "reported by Bobby at 5"
    labels = [Annotation({}, (Span(12, 15, "name"),)), Annotation({}, (Span(8, 9, "name"),))]
    goal = toy_fields(texts=[text, text], labels=labels)
    model = AdaptedEncoder(tiny_encoder, LoraShape(4, 8, 0.0, ("query",)), torch.float32, "cpu")
    objective = goal.begin(toy_job(tiny_encoder, tmp_path), model)
    assert (objective.widened, objective.lost) == (1, 1)


def test_bad_rows_are_all_said_at_once(tiny_encoder: Path, tmp_path: Path) -> None:
    goal = toy_fields(texts=[], dev_labels=[], schema=ObjectSchema(SCHEMA.document, ()))
    with pytest.raises(
        TrainingError, match=r"train: no rows[\s\S]*0 texts but 48 labels[\s\S]*24 texts[\s\S]*no fields"
    ):
        fit(toy_job(tiny_encoder, tmp_path, goal=goal), ignore)
