"""The training loop: batches in, best epoch out. A kill loses at most the steps since the last checkpoint.

It knows no task: what is learnt on top of the encoder is the job's goal (objective.py). Which rows make up which batch
is a pure function of lengths, seed and epoch, so that a resumed run repeats it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import keep_freed_memory, settle_threads
from tailtune.training import checkpoint
from tailtune.training.checkpoint import Position, job_digest
from tailtune.training.model import AdaptedEncoder, LoraShape, pick_device, pick_dtype
from tailtune.training.objective import EpochStats, FitJob, FitResult, Objective, Progress, Visit

POOL_BATCHES = 50
"""Batches cut from one shuffled pool sorted by length: enough for almost no padding, few enough to mix classes."""

_WHOLE_BELOW = 6

MICRO_TOKENS = 2048
"""Padded tokens that go through the encoder at once; a longer batch is split and its gradients add up."""


def epoch_batches(lengths: Sequence[int], batch_rows: int, seed: int, epoch: int) -> list[list[int]]:
    """Cut one epoch into batches of rows of similar length, in random order.

    Args:
        lengths: Tokens of each of n rows.
        batch_rows: Rows of a batch; at most one batch of each pool, the last, is smaller.
        seed: The run's seed.
        epoch: 0 for the first pass; each epoch has another order.

    Returns:
        Row numbers by batch; every row stands in exactly one batch.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    size = np.asarray(lengths)
    pool_rows = batch_rows * POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_rows):
        pool = order[start : start + pool_rows]
        pool = pool[np.argsort(size[pool], kind="stable")]
        batches += [pool[at : at + batch_rows].tolist() for at in range(0, len(pool), batch_rows)]
    return [batches[place] for place in random.permutation(len(batches))]


def thinned(rows: Sequence[Sequence[int]], share: float, seed: int, epoch: int, batch: int) -> list[list[int]]:
    """Leave out each inner token with a chance of `share`: a row is never seen twice in the same words.

    It keeps the model from learning wrong labels by heart, and costs less than nothing, as there are fewer tokens
    (word dropout: Iyyer et al. 2015, Deep Unordered Composition). A pure function of seed, epoch and batch number.

    Args:
        rows: Token ids; the first and the last of a row (`[CLS]`, `[SEP]`) always stay.
        share: Chance of leaving a token out, 0 to 1; rows of fewer than 6 tokens stay whole.
        seed: The run's seed.
        epoch: 0 for the first pass.
        batch: The batch's number within the epoch.
    """
    if share == 0:
        return [list(row) for row in rows]
    random = np.random.default_rng([seed, epoch, batch])
    kept = []
    for row in rows:
        stay = random.random(len(row)) >= share
        stay[0] = stay[-1] = True
        kept.append([token for token, stays in zip(row, stay, strict=True) if stays or len(row) < _WHOLE_BELOW])
    return kept


def micro_batches(batch: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Split one batch so that no piece exceeds `MICRO_TOKENS` padded tokens (a single longer row stays whole)."""
    longest = max(lengths[row] for row in batch)
    rows = max(1, MICRO_TOKENS // max(1, longest))
    for start in range(0, len(batch), rows):
        yield list(batch[start : start + rows])


_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def rate_share(step: int, steps: int, warmup_share: float) -> float:
    """The share of the peak rate at one step, 0 to 1: up over the warm-up, then straight down to 0 after the last."""
    warmup = warmup_share * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1.0, steps - warmup)


class Optimiser:
    """AdamW with a rate of its own for the heads."""

    def __init__(self, job: FitJob, adapter: Tensor, heads: Sequence[Tensor], steps: int) -> None:
        """Plan `steps` updates of the adapter and the heads."""
        self._peaks = (job.learning_rate, job.head_learning_rate)
        self._steps, self._warmup_share = steps, job.warmup_share
        self._parameters = [adapter, *heads]
        groups = [
            {"params": [adapter], "weight_decay": job.weight_decay},
            {"params": list(heads), "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(groups, lr=job.learning_rate, fused=True)

    def update(self, step: int) -> None:
        """Apply the gradients gathered since the last update, as update number `step` (0 is the first)."""
        share = rate_share(step, self._steps, self._warmup_share)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The moments, by flat name; empty before the first update."""
        state = self._adamw.state
        return {
            f"optimiser.{at}.{name}": state[parameter][name].detach().cpu()
            for at, parameter in enumerate(self._parameters)
            for name in _MOMENTS
            if name in state[parameter]
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for at, parameter in enumerate(self._parameters):
            for name in _MOMENTS:
                kept = tensors.get(f"optimiser.{at}.{name}")
                if kept is not None:
                    self._adamw.state[parameter][name] = kept.clone().to(parameter.device)


def epoch_to_keep(history: tuple[EpochStats, ...]) -> EpochStats:
    """The last epoch whose dev quality lies within one standard error of the best.

    A few hundred or thousand noisy dev rows cannot tell 93.4 % from 92.6 %; the later epoch learned at a lower rate and
    is the better one on test (docs/adr/004-training-engine.md). An epoch that is really worse is never kept.

    Args:
        history: At least one finished epoch, in order.
    """
    best = _best(history)
    return [epoch for epoch in history if epoch.dev_quality >= best.dev_quality - best.dev_error][-1]


def epochs_without_gain(history: tuple[EpochStats, ...]) -> int:
    """Epochs since the highest dev quality was first reached; 0 before the first epoch."""
    return history[-1].epoch - _best(history).epoch if history else 0


def mean_rows_s(history: tuple[EpochStats, ...]) -> float:
    """Train rows per second over all epochs: their harmonic mean, as epochs are of equal size."""
    return len(history) / sum(1 / max(epoch.rows_s, 1e-9) for epoch in history)


def _best(history: tuple[EpochStats, ...]) -> EpochStats:
    """The first among equals."""
    return max(history, key=lambda epoch: epoch.dev_quality)


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
        return _Run(job, on_progress, threads).run()
    finally:
        torch.set_num_threads(threads)


class _Run:
    """One attempt at a job: the state that changes from step to step."""

    def __init__(self, job: FitJob, on_progress: Callable[[Progress], None], threads: int) -> None:
        begun = time.monotonic()
        self.job, self.on_progress, self.threads = job, on_progress, threads
        self.device = pick_device()
        resumed = checkpoint.load(job.checkpoint_dir, job_digest(job))
        # A resumed run goes on in the precision it began in.
        self.dtype = _DTYPES[resumed[0].precision] if resumed else pick_dtype(self.device)
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
        if resumed is None:
            self.at = Position(job_digest(job), self.precision)
            self.objective.start(self.model)
        else:
            self.at, tensors = resumed
            self._restore(tensors)
        self.resumed_at_step = self.at.step
        self.begun = begun - self.at.seconds  # as if earlier attempts had run just before this one
        self.saved = time.monotonic()

    def run(self) -> FitResult:
        """Every epoch that is left, then the result."""
        while self.at.epoch < self.job.epochs and not self._patience_is_over() and not self.stopped:
            if self.at.history and self._must_stop():  # also where an attempt was killed after it had stopped
                break
            self._epoch()
        return self._result()

    def _epoch(self) -> None:
        """The rest of one epoch, a dev pass, a checkpoint."""
        batches = epoch_batches(self.objective.lengths, self.job.batch_rows, self.job.seed, self.at.epoch)
        for batch in batches[self.at.batch :]:
            self._step(batch)
            if self._must_stop():
                break
            if time.monotonic() - self.saved >= self.job.checkpoint_s:
                self._save()
            if time.monotonic() - self.settled >= _SETTLE_S:
                self._settle()
        self._finish_epoch()
        self._save()

    def _step(self, batch: list[int]) -> None:
        """One optimiser step on one batch, in pieces that fit the CPU's cache."""
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
        self._report_progress()

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
            seconds=self._total_s(),
        )
        history = (*self.at.history, stats)
        if epoch_to_keep(history) is stats:
            self.best = self._weights()
        self.at = Position(self.at.digest, self.precision, epoch=self.at.epoch + 1, step=self.at.step, history=history)
        self._report_progress()

    def _save(self) -> None:
        """Write a checkpoint that a later attempt goes on from exactly."""
        tensors = {f"now.{name}": tensor for name, tensor in self._weights().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= self.optimiser.tensors() | {"random": torch.get_rng_state()}
        position = replace(self.at, seconds=self._total_s())
        checkpoint.save(self.job.checkpoint_dir, position, tensors)
        self.saved = time.monotonic()

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        def below(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self._set_weights(below("now."))
        self.best = below("best.")
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
        """Choose the number of threads again: other processes may have started or ended."""
        if self.device == "cpu":
            settle_threads(self.threads)
        self.settled = time.monotonic()

    def _total_s(self) -> float:
        """Seconds of this attempt and of earlier ones."""
        return time.monotonic() - self.begun

    def _must_stop(self) -> bool:
        if self.job.should_stop is not None and self.stopped is None:
            self.stopped = self.job.should_stop(self._total_s())
        return self.stopped is not None

    def _patience_is_over(self) -> bool:
        if epochs_without_gain(self.at.history) < self.job.patience:
            return False
        self.stopped = f"no better dev quality for {self.job.patience} epochs"
        return True

    def _report_progress(self) -> None:
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
        best = epoch_to_keep(history)
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
            seconds=self._total_s(),
            precision=self.precision,
            device=self.device,
        )
