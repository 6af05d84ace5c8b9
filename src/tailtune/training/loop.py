"""The training loop: batches in, best epoch out, and a run that a kill costs at most a checkpoint interval.

It knows no task: what is learnt on top of the encoder is the job's goal (objective.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import keep_freed_memory, settle_threads
from tailtune.training import checkpoint
from tailtune.training.batches import epoch_batches
from tailtune.training.checkpoint import Position
from tailtune.training.digest import digest
from tailtune.training.hardware import pick_device, pick_dtype
from tailtune.training.job import EpochStats, FitJob, FitResult, Progress
from tailtune.training.keeping import epochs_without_gain, keep, mean_rows_s
from tailtune.training.model import AdaptedEncoder, LoraShape
from tailtune.training.objective import Objective, Visit
from tailtune.training.schedule import Optimiser

_SETTLE_S = 20.0
_RECENT = 0.95
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_ADAPTER, _HEAD = "adapter", "head."


def fit(job: FitJob, on_progress: Callable[[Progress], None]) -> FitResult:
    """Train one adapter and its heads, resuming from `job.checkpoint_dir` when it holds a checkpoint of this very job.

    Args:
        job: Goal and hyperparameters.
        on_progress: Called after every optimiser step and every dev pass; what it raises ends the run, resumably.

    Returns:
        Encoder and heads with the best epoch's weights, calibrated, and how the run went. Checkpoints stay on disk:
        call `checkpoint.clear` once the artifact is saved.

    Raises:
        TrainingError: A loss that is not a number, rows that cannot be trained on, or a full disk.
    """
    keep_freed_memory()
    threads = torch.get_num_threads()
    try:
        return _Run(job, on_progress, threads).all()
    finally:
        torch.set_num_threads(threads)


@dataclass
class _Clock:
    """Seconds of this attempt and of earlier ones."""

    earlier_s: float
    begun: float

    def total_s(self) -> float:
        return self.earlier_s + time.monotonic() - self.begun


class _Run:
    """One attempt at a job. Holds what changes from step to step, so that the steps read as sentences."""

    def __init__(self, job: FitJob, on_progress: Callable[[Progress], None], threads: int) -> None:
        begun = time.monotonic()
        self.job, self.on_progress, self.threads = job, on_progress, threads
        self.device = pick_device()
        found = checkpoint.load(job.checkpoint_dir, digest(job))
        # A resumed run goes on in the precision it began in.
        self.dtype = _DTYPES[found[0].precision] if found else pick_dtype(self.device)
        self.precision = next(name for name, dtype in _DTYPES.items() if dtype == self.dtype)
        self._settle()
        torch.manual_seed(job.seed)
        shape = LoraShape(job.rank, job.alpha, job.dropout, job.modules)
        self.model = AdaptedEncoder(job.encoder, shape, self.dtype, self.device)
        self.objective: Objective = job.goal.begin(job, self.model)
        self.steps_per_epoch = len(epoch_batches(self.objective.lengths, job.batch_rows, job.seed, 0))
        heads = list(self.objective.heads.values())
        self.optimiser = Optimiser(job, self.model.adapter, heads, self.steps_per_epoch * job.epochs)
        self.best: dict[str, Tensor] = self._weights()
        self.stopped: str | None = None
        self.rows_s = 0.0
        if found is None:
            self.at = Position(digest(job), self.precision)
            self.objective.start(self.model)
        else:
            self.at, tensors = found
            self._restore(tensors)
        self.resumed_at_step = self.at.step
        self.clock = _Clock(self.at.seconds, begun)
        self.saved = time.monotonic()

    def all(self) -> FitResult:
        """Every epoch that is left, then the result."""
        while self.at.epoch < self.job.epochs and not self._patience_is_over() and not self.stopped:
            self._epoch()
        return self._result()

    def _epoch(self) -> None:
        """The rest of one epoch, a dev pass, a checkpoint."""
        batches = epoch_batches(self.objective.lengths, self.job.batch_rows, self.job.seed, self.at.epoch)
        for batch in batches[self.at.batch :]:
            self._step(batch)
            if self._asked_to_stop():
                break
            if time.monotonic() - self.saved >= self.job.checkpoint_s:
                self._save()
            if time.monotonic() - self.settled >= _SETTLE_S:
                self._settle()
        self._finish_epoch()
        self._save()

    def _step(self, batch: list[int]) -> None:
        """One optimiser step on one batch, in parts that fit the cache."""
        begun, loss_sum = time.monotonic(), 0.0
        visit = Visit(self.job.seed, self.at.epoch, self.at.batch)
        for loss in self.objective.losses(self.model, batch, visit):
            (loss / len(batch)).backward()
            loss_sum += float(loss.detach())
        if loss_sum != loss_sum or loss_sum == float("inf"):
            raise TrainingError(
                f"step {self.at.step}, epoch {self.at.epoch + 1}: the train loss is {loss_sum}, not a finite number",
                hint=f"lower train.learning_rate (now {self.job.learning_rate:g}) and train again",
            )
        self.optimiser.update(self.at.step)
        spent = time.monotonic() - begun
        self.at = replace(
            self.at,
            batch=self.at.batch + 1,
            step=self.at.step + 1,
            loss_sum=self.at.loss_sum + loss_sum,
            loss_rows=self.at.loss_rows + len(batch),
            epoch_s=self.at.epoch_s + spent,
        )
        now = len(batch) / max(spent, 1e-9)
        self.rows_s = now if self.rows_s == 0 else _RECENT * self.rows_s + (1 - _RECENT) * now
        self._tell()

    def _finish_epoch(self) -> None:
        """Score dev, remember the best weights, move to the next epoch."""
        dev = self.objective.score(self.model)
        stats = EpochStats(
            epoch=self.at.epoch + 1,
            train_loss=self.at.loss_sum / max(1, self.at.loss_rows),
            dev_loss=dev.loss,
            dev_quality=dev.quality,
            dev_error=dev.error,
            rows_s=self.at.loss_rows / max(self.at.epoch_s, 1e-9),
            seconds=self.clock.total_s(),
        )
        history = (*self.at.history, stats)
        if keep(history) is stats:
            self.best = self._weights()
        self.at = Position(self.at.digest, self.precision, epoch=self.at.epoch + 1, step=self.at.step, history=history)
        self._tell()

    def _save(self) -> None:
        """Write a checkpoint that a later attempt goes on from exactly."""
        tensors = {f"now.{name}": tensor for name, tensor in self._weights().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= self.optimiser.tensors() | {"random": torch.get_rng_state()}
        position = replace(self.at, seconds=self.clock.total_s())
        checkpoint.save(self.job.checkpoint_dir, position, tensors)
        self.saved = time.monotonic()

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        def named(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self._set_weights(named("now."))
        self.best = named("best.")
        self.optimiser.restore(tensors)
        torch.set_rng_state(tensors["random"])

    def _weights(self) -> dict[str, Tensor]:
        """A copy of everything trained, by name, on the CPU."""
        named = {_ADAPTER: self.model.adapter}
        named |= {f"{_HEAD}{name}": tensor for name, tensor in self.objective.heads.items()}
        return {name: tensor.detach().cpu().clone() for name, tensor in named.items()}

    def _set_weights(self, weights: dict[str, Tensor]) -> None:
        """Put a copy made by `_weights` back, in place."""
        with torch.no_grad():
            self.model.adapter.copy_(weights[_ADAPTER])
            for name, tensor in self.objective.heads.items():
                tensor.copy_(weights[f"{_HEAD}{name}"])

    def _settle(self) -> None:
        """A neighbour may have come or gone."""
        if self.device == "cpu":
            settle_threads(self.threads)
        self.settled = time.monotonic()

    def _asked_to_stop(self) -> bool:
        if self.job.should_stop is not None and self.stopped is None:
            self.stopped = self.job.should_stop(self.clock.total_s())
        return self.stopped is not None

    def _patience_is_over(self) -> bool:
        if epochs_without_gain(self.at.history) < self.job.patience:
            return False
        self.stopped = f"no better dev quality for {self.job.patience} epochs"
        return True

    def _tell(self) -> None:
        rows, history = len(self.objective.lengths), self.at.history
        done = self.at.epoch * rows + self.at.loss_rows
        self.on_progress(
            Progress(
                epoch=min(self.at.epoch + 1, self.job.epochs),
                epochs=self.job.epochs,
                rows_done=done,
                rows_total=self.job.epochs * rows,
                rows_s=self.rows_s,
                left_s=(self.job.epochs * rows - done) / max(self.rows_s, 1e-9),
                loss=self.at.loss_sum / self.at.loss_rows if self.at.loss_rows else history[-1].train_loss,
                dev_quality=history[-1].dev_quality if history else None,
            )
        )

    def _result(self) -> FitResult:
        history = self.at.history
        best = keep(history)
        self._set_weights(self.best)
        self.objective.calibrate(self.model)
        return FitResult(
            model=self.model,
            objective=self.objective,
            best_epoch=best.epoch,
            dev_quality=best.dev_quality,
            dev_loss=best.dev_loss,
            history=history,
            stopped=self.stopped,
            resumed_at_step=self.resumed_at_step,
            rows_s=mean_rows_s(history),
            seconds=self.clock.total_s(),
            precision=self.precision,
            device=self.device,
        )
