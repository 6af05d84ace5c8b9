"""The objective of classification: a linear head on the unit sentence vector, one class for each text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from tailtune.core.errors import TrainingError
from tailtune.core.records import Row
from tailtune.predictors.bert import mean_pool
from tailtune.predictors.encoder import Tokens, by_length
from tailtune.predictors.fine_tuned import HEAD
from tailtune.predictors.torch_encoder import pad
from tailtune.tasks.classification.fine_tune import LABELS, POOLING
from tailtune.tasks.classification.linear import MAX_WEIGHTS
from tailtune.training.calibrate import fit_temperature
from tailtune.training.loop import micro_batches, thinned
from tailtune.training.model import AdaptedEncoder
from tailtune.training.objective import DevScore, FitJob, Goal, Objective, Visit

HEAD_SCALE = 20.0
"""Logits are this many times the cosine to a class prototype at the start."""
DEV_SCORES = 2**25
"""Class scores of dev rows in memory at once, rows × classes: 128 MB, a few times over."""


@dataclass(frozen=True)
class Classes(Goal):
    """One per job that tells classes apart. A label is a class number.

    Attributes:
        names: The classes; class number i is names[i].
    """

    metric = "accuracy"

    names: Sequence[str]

    def allowed(self) -> Sequence[str]:
        """The classes."""
        return self.names

    def begin(self, job: FitJob, model: AdaptedEncoder) -> ClassObjective:
        """Check texts and class numbers; see `Goal`."""
        faults = self.row_faults()
        if len(self.names) * model.width > MAX_WEIGHTS:
            faults.append(f"{len(self.names):,} classes: a head has at most {MAX_WEIGHTS // model.width:,}")
        for split, labels in (("train", self.labels), ("dev", self.dev_labels)):
            strange = sorted({label for label in labels if not 0 <= label < len(self.names)})
            if strange:
                faults.append(f"{split}: class numbers {strange[:5]} are outside 0 to {len(self.names) - 1}")
        if faults:
            raise TrainingError("\n".join(faults))
        return ClassObjective(self, job, model)


class ClassObjective(Objective):
    """Rows as token ids, and the head: `weight` (classes, width), `bias` (classes,)."""

    def __init__(self, goal: Classes, job: FitJob, model: AdaptedEncoder) -> None:
        """Tokenise; the head starts as zeros."""
        tokens = Tokens(job.encoder, min(job.max_tokens, model.max_positions))
        self._ids, self._dev_ids = tokens(goal.texts), tokens(goal.dev_texts)
        self._labels, self._dev_target = list(goal.labels), torch.tensor(goal.dev_labels)
        self._names, self._max_tokens, self._token_dropout = tuple(goal.names), job.max_tokens, job.token_dropout
        self.lengths = [len(row) for row in self._ids]
        self.heads = {
            "weight": torch.zeros(len(goal.names), model.width, device=model.device, requires_grad=True),
            "bias": torch.zeros(len(goal.names), device=model.device, requires_grad=True),
        }

    def start(self, model: AdaptedEncoder) -> None:
        """Set the head to the class prototypes: the unit mean of each class's vectors; zero where there are no rows."""
        vectors = _over(self._ids, lambda ids, mask: sentence_vectors(model, ids, mask))
        sums = torch.zeros(len(self._names), vectors.shape[1]).index_add_(0, torch.tensor(self._labels), vectors)
        with torch.no_grad():
            self.heads["weight"].copy_(functional.normalize(sums, dim=1) * HEAD_SCALE)
            self.heads["bias"].zero_()

    def losses(self, model: AdaptedEncoder, batch: Sequence[int], visit: Visit) -> Iterator[Tensor]:
        """Cross-entropy; some tokens of each row are left out. See `Objective`."""
        texts = [self._ids[row] for row in batch]
        dropped = thinned(texts, self._token_dropout, visit.seed, visit.epoch, visit.batch)
        thin = dict(zip(batch, dropped, strict=True))
        for rows in micro_batches(batch, self.lengths):
            ids, mask = pad([thin[row] for row in rows])
            target = torch.tensor([self._labels[row] for row in rows], device=model.device)
            logits = self._logits(model, ids, mask, training=True)
            yield functional.cross_entropy(logits, target, reduction="sum")

    def score(self, model: AdaptedEncoder) -> DevScore:
        """Cross-entropy and accuracy, with its binomial error."""
        rows, loss, accuracy = max(1, len(self._dev_target)), 0.0, 0.0
        size = self._dev_block()
        for start in range(0, rows, size):
            target = self._dev_target[start : start + size]
            logits = self._scores(model, self._dev_ids[start : start + size])
            share = len(target) / rows
            loss += float(functional.cross_entropy(logits, target)) * share
            accuracy += float((logits.argmax(dim=1) == target).float().mean()) * share
        return DevScore(loss, accuracy, (accuracy * (1 - accuracy) / rows) ** 0.5)

    def calibrate(self, model: AdaptedEncoder) -> None:
        """Fit the softmax temperature, on evenly spaced dev rows where the scores of all would be too many."""
        step = -(-len(self._dev_ids) // self._dev_block())
        self.temperature = fit_temperature(self._scores(model, self._dev_ids[::step]), self._dev_target[::step])

    def write(self, folder: Path) -> Mapping[str, object]:
        """Write `head.safetensors` and `labels.json`."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.heads.items()}
        save_file(tensors, folder / HEAD)
        (folder / LABELS).write_text(
            json.dumps(list(self._names), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return {"max_tokens": self._max_tokens, "pooling": POOLING, "temperature": self.temperature}

    def _dev_block(self) -> int:
        """Dev rows whose scores are in memory at once."""
        return max(1, DEV_SCORES // len(self._names))

    def _scores(self, model: AdaptedEncoder, texts: list[list[int]]) -> Tensor:
        """Class scores of n texts → (n, classes) float32."""
        return _over(texts, lambda ids, mask: self._logits(model, ids, mask))

    def _logits(self, model: AdaptedEncoder, ids: Tensor, mask: Tensor | None, *, training: bool = False) -> Tensor:
        vectors = sentence_vectors(model, ids, mask, training=training)
        return functional.linear(vectors, self.heads["weight"], self.heads["bias"])


def classes_of(names: Sequence[str], train: Sequence[Row], dev: Sequence[Row]) -> Classes:
    """The goal of a classification use case with these labels."""
    number = {label: at for at, label in enumerate(names)}
    return Classes(
        texts=[row.text for row in train],
        labels=[number[row.label] for row in train],
        dev_texts=[row.text for row in dev],
        dev_labels=[number[row.label] for row in dev],
        names=names,
    )


def sentence_vectors(model: AdaptedEncoder, ids: Tensor, mask: Tensor | None, *, training: bool = False) -> Tensor:
    """Unit sentence vectors of ids (n, t) → (n, width) float32."""
    mask = None if mask is None else mask.to(model.device)
    return functional.normalize(mean_pool(model.hidden(ids, mask, training=training), mask), dim=1)


def _over(ids: list[list[int]], function: Callable[[Tensor, Tensor | None], Tensor]) -> Tensor:
    """A function of padded ids over all rows, without gradients, on the CPU."""
    result: Tensor | None = None
    with torch.no_grad():
        for rows in by_length(ids):
            values = function(*pad([ids[row] for row in rows])).cpu()
            if result is None:
                result = torch.empty(len(ids), values.shape[1])
            result[rows] = values
    if result is None:
        raise ValueError("no rows to score")
    return result
