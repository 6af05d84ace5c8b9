"""Many labels: heads are measured in bounded memory, and what is not measured is named with its reason."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from training.jobs import toy_job

from tailtune.core.errors import TooLargeError, TrainingError
from tailtune.core.records import Row
from tailtune.predictors.base import Floats
from tailtune.predictors.reading import encoder_path
from tailtune.services.label_issues import too_many
from tailtune.tasks.classification import linear, objective, rungs
from tailtune.tasks.classification.linear import MAX_WEIGHTS, feature_limit, fit_linear
from tailtune.tasks.classification.rungs import ClassifyContext, Probe, Retrieval, Tfidf, unit
from tailtune.training.model import AdaptedEncoder, LoraShape

Kind = type[Tfidf] | type[Probe] | type[Retrieval]


def texts(classes: int, rows: int, seed: int) -> list[Row]:
    """Rows of a few words of their class among words of all."""
    dice, made = random.Random(seed), []
    for number in range(classes * rows):
        label = number % classes
        words = [
            f"c{label}w{dice.randrange(4)}" if dice.random() < 0.5 else f"w{dice.randrange(50)}" for _ in "12345678"
        ]
        made.append(Row(id=f"{seed}-{number:06}", text=" ".join(words), label=f"c{label}", split="train", origin="x"))
    return made


def embed(of: Sequence[str]) -> Floats:
    """A vector of 384 numbers that says which words a text has."""
    vectors = np.zeros((len(of), 384), dtype=np.float32)
    for at, text in enumerate(of):
        for word in text.split():
            vectors[at] += np.random.default_rng(list(word.encode())).standard_normal(384).astype(np.float32)
    return unit(vectors)


def context(classes: int, rows: int) -> ClassifyContext:
    labels = {f"c{label}": "" for label in range(classes)}
    return ClassifyContext(rows=texts(classes, rows, 1), embed=embed, labels=labels, shots=5, neighbours=5)


@pytest.mark.parametrize("kind", [Tfidf, Probe])
def test_a_head_fitted_in_batches_is_about_as_good_as_the_exact_one(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting, dev = context(12, 20), texts(12, 10, 2)
    exact = right(kind.fit(fitting), dev)
    monkeypatch.setattr(linear, "EXACT_BYTES", 0)
    assert right(kind.fit(fitting), dev) == pytest.approx(exact, abs=0.05)


def right(rung: Any, dev: Sequence[Row]) -> float:
    answers = rung.answer([row.text for row in dev])
    return float(np.mean([answer.value == row.label for answer, row in zip(answers, dev, strict=True)]))


@pytest.mark.parametrize("kind", [Tfidf, Probe, Retrieval])
def test_blocks_of_rows_answer_as_all_rows_at_once(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    rung, dev = kind.fit(context(12, 5)), [row.text for row in texts(12, 5, 2)]
    whole = rung.answer(dev)
    monkeypatch.setattr(rungs, "BLOCK_SCORES", 100)
    monkeypatch.setattr("tailtune.predictors.nearest._BLOCK_SIMILARITIES", 100)
    blocks = rung.answer(dev)
    assert [answer.value for answer in blocks] == [answer.value for answer in whole]
    assert [answer.confidence for answer in blocks] == pytest.approx([answer.confidence for answer in whole], abs=1e-5)


def test_words_are_left_out_rather_than_memory_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MAX_WEIGHTS", 12 * 300)
    assert Tfidf.fit(context(12, 20)).weights.shape == (12, 300)


@pytest.mark.parametrize("classes", [150, 3_000, 10_000, 262_144])
def test_labels_times_words_are_bounded(classes: int) -> None:
    assert classes * feature_limit(classes) <= MAX_WEIGHTS


@pytest.mark.parametrize(
    "fit", [lambda: feature_limit(262_145), lambda: fit_linear(csr_matrix((9, 384)), np.arange(9), 200_000, 20.0)]
)
def test_a_head_that_is_too_large_is_refused_with_its_reason(fit: Callable[[], object]) -> None:
    with pytest.raises(TooLargeError, match=r"labels .*memory is bounded"):
        fit()


@pytest.mark.parametrize(
    ("rows", "labels", "bounded"), [(440_000, 150, True), (9_000, 10_000, False), (10**6, 99, False)]
)
def test_suspect_labels_are_looked_for_in_bounded_memory_or_named(rows: int, labels: int, bounded: bool) -> None:
    reason = too_many(rows, labels)
    assert (reason == "") is bounded
    assert bounded or f"{labels:,} labels" in reason


def test_training_scores_dev_rows_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    job, model = toy_job(encoder_path(), Path()), adapted()
    learnt = job.goal.begin(job, model)
    learnt.start(model)
    whole = learnt.score(model)
    monkeypatch.setattr(objective, "DEV_SCORES", 15)
    blocks = learnt.score(model)
    assert (blocks.loss, blocks.quality) == pytest.approx((whole.loss, whole.quality), abs=1e-5)


def test_training_refuses_a_head_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    job = toy_job(encoder_path(), Path())
    monkeypatch.setattr(objective, "MAX_WEIGHTS", 100)
    with pytest.raises(TrainingError, match="3 classes: a head has at most"):
        job.goal.begin(job, adapted())


def adapted() -> AdaptedEncoder:
    return AdaptedEncoder(encoder_path(), LoraShape(4, 8, 0.0, ("query",)), torch.float32, "cpu")


def test_vectors_that_look_alike_are_told_apart_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "EXACT_BYTES", 0)
    dice = np.random.default_rng(0)
    common, own, targets = dice.standard_normal(384), dice.standard_normal((200, 384)) * 0.1, np.arange(2400) % 200
    vectors = unit((common + own[targets] + dice.standard_normal((2400, 384)) * 0.2).astype(np.float32))
    weights, intercepts = fit_linear(vectors[:2000], targets[:2000], 200, 20.0)
    right_rows = (vectors[2000:] @ weights.T + intercepts).argmax(axis=1) == targets[2000:]
    assert right_rows.mean() > 0.95


def test_fitting_in_batches_takes_little_more_memory_than_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "EXACT_BYTES", 0)
    monkeypatch.setattr(linear, "_BLOCK_WEIGHTS", 2**14)
    monkeypatch.setattr(linear, "_BATCH_SCORES", 16 * 200)
    monkeypatch.setattr(linear, "_PASSES", 1)
    features = csr_matrix(np.random.default_rng(0).random((200, 2000), dtype=np.float32) > 0.9, dtype=np.float32)
    tracemalloc.start()
    weights, _ = fit_linear(features, np.arange(200), 200, 20.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * weights.nbytes  # the caller's, the ones being fitted, and what a batch needs
