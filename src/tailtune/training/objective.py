"""What a task brings to training, and what a run takes and returns. The loop knows nothing else of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from tailtune.training.model import AdaptedEncoder


@dataclass(frozen=True)
class Visit:
    """One per optimiser step: which batch of which pass. Random choices are a pure function of it."""

    seed: int
    epoch: int
    batch: int


@dataclass(frozen=True)
class DevScore:
    """One per dev pass.

    Attributes:
        loss: Mean over the dev rows.
        quality: In the goal's measure, 0 to 1.
        error: Standard error of `quality`: what dev cannot tell apart.
    """

    loss: float
    quality: float
    error: float


class Objective(ABC):
    """One per run: tokenised rows, and the heads that learn from them. Items are train rows by number.

    Attributes:
        lengths: Padded tokens that each train row puts through the encoder.
        heads: The trained tensors on top of the encoder, by name; their gradients are on.
        temperature: Divide the main head's logits by this for calibrated probabilities; 1 before `calibrate`.
    """

    lengths: Sequence[int]
    heads: dict[str, Tensor]
    temperature: float = 1.0

    @abstractmethod
    def start(self, model: AdaptedEncoder) -> None:
        """Give the heads their first values from what the untrained encoder says of the train rows."""

    @abstractmethod
    def losses(self, model: AdaptedEncoder, batch: Sequence[int], visit: Visit) -> Iterator[Tensor]:
        """The loss of a batch, in pieces that fit the CPU's cache.

        Args:
            model: Encodes.
            batch: Train rows.
            visit: Which batch it is.

        Yields:
            The sum of the losses of some of the rows, with a graph; the pieces make up the batch.
        """

    @abstractmethod
    def score(self, model: AdaptedEncoder) -> DevScore:
        """Answer the dev rows and compare the answers with their labels."""

    @abstractmethod
    def calibrate(self, model: AdaptedEncoder) -> None:
        """Fit on dev what makes probabilities honest; called once, with the weights that are kept."""

    @abstractmethod
    def write(self, folder: Path) -> Mapping[str, object]:
        """Write the heads and what they mean into a model's folder.

        Args:
            folder: Exists, and holds `adapter/`.

        Returns:
            What `tailtune.json` says besides the encoder's name.
        """


@dataclass(frozen=True)
class Goal(ABC):
    """One per job: the rows of a task as they come, and the measure they are learnt for.

    Attributes:
        metric: Of `DevScore.quality`, a name of core/measures.py.
        texts: Train rows.
        labels: Label of each train row, as the task learns it.
        dev_texts: Dev rows, for early stopping and calibration.
        dev_labels: Label of each dev row.
    """

    metric: ClassVar[str]
    texts: Sequence[str]
    labels: Sequence[Any]
    dev_texts: Sequence[str]
    dev_labels: Sequence[Any]

    @abstractmethod
    def allowed(self) -> Sequence[str]:
        """What may be answered, and whatever else besides the rows decides the result."""

    @abstractmethod
    def begin(self, job: FitJob, model: AdaptedEncoder) -> Objective:
        """Check the rows, tokenise them, make the heads.

        Raises:
            TrainingError: Rows that cannot be trained on; all faults at once.
        """

    def parts(self) -> Iterator[str]:
        """What a checkpoint's digest is made of: answers, texts and labels, each list closed by a mark of its own."""
        for values in (self.allowed(), self.texts, self.labels, self.dev_texts, self.dev_labels):
            yield from (f"{value}\0" for value in values)
            yield "\1"

    def row_faults(self) -> list[str]:
        """Why the rows cannot be trained on, whatever the task."""
        faults = []
        for split, texts, labels in (("train", self.texts, self.labels), ("dev", self.dev_texts, self.dev_labels)):
            if not texts:
                faults.append(f"{split}: no rows, expected at least one")
            if len(texts) != len(labels):
                faults.append(f"{split}: {len(texts)} texts but {len(labels)} labels")
        return faults


@dataclass(frozen=True)
class FitJob:
    """One per training run: what is learnt, hyperparameters, where to keep checkpoints. Defaults: ADR 004.

    Attributes:
        goal: The task's train and dev rows, and what is learnt from them on top of the encoder.
        encoder: Folder of the base encoder.
        checkpoint_dir: Where checkpoints go; a run of the same job found here is resumed.
        rank: LoRA rank r.
        alpha: LoRA scale is alpha / rank.
        dropout: On each adapter's input; 0 takes a faster path.
        token_dropout: Chance that a token of a train row is not seen in a pass; 0 turns it off.
        modules: Adapted layers: any of query, key, value, dense.
        epochs: Passes over the train rows at most.
        patience: Epochs without a better dev quality before stopping.
        batch_rows: Rows of an optimiser step.
        learning_rate: Peak rate of the adapter; linear decay to 0.
        head_learning_rate: Peak rate of the heads, same schedule.
        warmup_share: Share of all steps over which rates rise from 0.
        weight_decay: AdamW's, on the adapter only.
        max_tokens: Longer texts are cut, or read in windows of that length, as the goal has it.
        seed: Of weights and row order.
        checkpoint_s: Seconds between checkpoints within an epoch.
        should_stop: Given seconds spent (earlier attempts included), a reason to stop now, or None.
    """

    goal: Goal
    encoder: Path
    checkpoint_dir: Path
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    token_dropout: float = 0.1
    modules: tuple[str, ...] = ("query", "key", "value", "dense")
    epochs: int = 6
    patience: int = 3
    batch_rows: int = 64
    learning_rate: float = 1.5e-3
    head_learning_rate: float = 1e-2
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    max_tokens: int = 128
    seed: int = 17
    checkpoint_s: float = 30.0
    should_stop: Callable[[float], str | None] | None = None


@dataclass(frozen=True)
class Progress:
    """One per optimiser step, and one after each dev pass.

    Attributes:
        epoch: 1 for the first pass.
        epochs: Passes at most.
        rows_done: Train rows seen, over all epochs.
        rows_total: Train rows to see if nothing stops early.
        rows_s: Train rows per second, lately.
        left_s: Seconds left at that speed.
        loss: Mean train loss of this epoch so far.
        dev_quality: Of the last finished epoch, in the goal's measure; None before.
    """

    epoch: int
    epochs: int
    rows_done: int
    rows_total: int
    rows_s: float
    left_s: float
    loss: float
    dev_quality: float | None


@dataclass(frozen=True)
class EpochStats:
    """One per finished epoch.

    Attributes:
        epoch: 1 for the first pass.
        train_loss: Mean over the train rows.
        dev_loss: Mean over the dev rows.
        dev_quality: In the goal's measure, 0 to 1.
        dev_error: Its standard error.
        rows_s: Train rows per second.
        seconds: From the start of the run to the end of the epoch.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    dev_quality: float
    dev_error: float
    rows_s: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """One per training run.

    Attributes:
        model: The adapted encoder, with the weights of the epoch kept.
        objective: The heads of that epoch, calibrated on dev.
        best_epoch: The epoch kept, 1 for the first: the last within one standard error of the highest dev quality.
        dev_quality: Of that epoch.
        dev_loss: Of that epoch, before calibration.
        history: Every finished epoch.
        stopped: Why it ended before the last epoch; None when it did not.
        resumed_at_step: Optimiser steps found in a checkpoint; 0 for a fresh run.
        rows_s: Train rows per second over the whole run, dev passes excluded.
        seconds: Spent in all, earlier attempts included.
        precision: What the encoder computed in: fp32 or bf16.
        device: cpu or cuda.
    """

    model: AdaptedEncoder
    objective: Objective
    best_epoch: int
    dev_quality: float
    dev_loss: float
    history: tuple[EpochStats, ...]
    stopped: str | None
    resumed_at_step: int
    rows_s: float
    seconds: float
    precision: str
    device: str

    @property
    def trainable(self) -> int:
        """How many numbers were trained: adapter and heads."""
        return sum(tensor.numel() for tensor in (self.model.adapter, *self.objective.heads.values()))
