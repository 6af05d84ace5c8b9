"""Train a LoRA adapter, if the decision lets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tailtune.core.figures import share
from tailtune.core.money import Usd
from tailtune.core.records import Row
from tailtune.core.reports import EpochResult, TrainReport
from tailtune.lifecycle.context import Context
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.table import TASKS

if TYPE_CHECKING:
    from tailtune.training.objective import FitJob, Progress


def run(context: Context) -> TrainReport:
    """Train when the ticket says so; else say why not. The adapter goes into the folder `model`.

    Raises:
        MissingInputError: No decision was taken.
        TrainingError: The loss is not a number, or no space is left.
    """
    case, inputs = context.case, context.inputs
    ticket = inputs.json("decide/ticket.json")
    if not ticket["train"]:
        reason = f"the decision says no (best cheaper rung: {saved.title(ticket['best_rung'])})"
        store.write_json(context.out / "skipped.json", {"reason": reason})
        context.progress.say(f"not trained: {reason}")
        return TrainReport(
            use_case=case.name, stage="train", rows_digest=inputs.rows_digest, trained=False, reason=reason
        )
    return _trained(context, store.first_by_id(inputs.rows("train"), case.spec.train.max_rows), inputs.rows("dev"))


def _trained(context: Context, train: Sequence[Row], dev: Sequence[Row]) -> TrainReport:
    from tailtune.predictors.reading import reading
    from tailtune.training import checkpoint
    from tailtune.training.loop import fit

    case, folder, digest = context.case, context.out / "model", context.inputs.rows_digest
    job = _job(context, train, dev)
    read = reading([row.text for row in train], job.max_tokens)
    if case.task.in_windows:
        read = read.model_copy(update={"cut_rows": 0})
    for line in read.lines:
        context.progress.say(line)
    result = fit(job, _EpochProgress(context))
    checkpoint.save_model(result, folder)
    saved.write_card(folder, TASKS[case.spec.task].fine_tune, case.spec.curate.scrub_pii)
    store.note_rows(context.out, digest)
    # Only once the report is safe: when MLflow fails after an hour of training, the next run must not train again.
    context.afterwards.append(lambda: checkpoint.clear(context.paths.checkpoints))
    context.progress.say(
        f"best epoch {result.best_epoch}: {share(result.dev_quality)} on dev, {result.rows_s:,.0f} rows/s"
    )
    return TrainReport(
        use_case=case.name,
        stage="train",
        rows_digest=digest,
        trained=True,
        reason="the decision lets training spend",
        reading=read,
        train_rows=len(train),
        dev_rows=len(dev),
        metric=case.spec.metric,
        trainable_parameters=result.trainable,
        epochs=tuple(
            EpochResult(
                epoch=item.epoch,
                train_loss=item.train_loss,
                dev_loss=item.dev_loss,
                dev_quality=item.dev_quality,
                rows_per_s=item.rows_s,
            )
            for item in result.history
        ),
        best_epoch=result.best_epoch,
        rows_per_s=result.rows_s,
        precision=result.precision,
        temperature=result.objective.temperature,
        stopped=result.stopped or "",
        resumed_from_step=result.resumed_at_step,
    )


def _job(context: Context, train: Sequence[Row], dev: Sequence[Row]) -> FitJob:
    from tailtune.predictors.reading import encoder_path, longest_input
    from tailtune.training.objective import FitJob

    spec = context.case.spec.train
    return FitJob(
        goal=context.case.task.goal(train, dev),
        encoder=encoder_path(),
        checkpoint_dir=context.paths.checkpoints,
        rank=spec.rank,
        alpha=spec.alpha,
        dropout=spec.dropout,
        token_dropout=spec.token_dropout,
        modules=spec.modules,
        epochs=spec.epochs,
        patience=spec.patience,
        batch_rows=spec.batch_rows,
        learning_rate=spec.learning_rate,
        head_learning_rate=spec.head_learning_rate,
        max_tokens=spec.max_tokens or longest_input(encoder_path()),
        seed=spec.seed,
        checkpoint_s=spec.checkpoint_s,
        should_stop=spending_stop(spec.max_cost_usd, context.inputs.prices.machine_hour_usd),
    )


def spending_stop(most: Usd, machine_hour_usd: Usd | None) -> Callable[[float], str | None] | None:
    """A check that says when the money is spent; None when no price is declared, so that nothing can be spent."""
    if machine_hour_usd is None:
        return None

    def check(seconds: float) -> str | None:
        usd = seconds * machine_hour_usd / 3600
        return f"spent ${usd:.4f} of train.max_cost_usd ${most:g}" if usd >= most else None

    return check


class _EpochProgress:
    """Shows training's progress in the terminal and, after each epoch, in MLflow."""

    def __init__(self, context: Context) -> None:
        self._context, self._shown, self._rows_done = context, 0, -1

    def __call__(self, now: Progress) -> None:
        what = f"epoch {now.epoch}/{now.epochs}, {now.rows_s:,.0f} rows/s, loss {now.loss:.3f}"
        self._context.progress.at(now.rows_done, now.rows_total, what)
        # After the last step of the last epoch, dev_quality is of the epoch before; the dev pass reports once more.
        over = now.rows_done == now.rows_total == self._rows_done
        finished, self._rows_done = now.epoch if over else now.epoch - 1, now.rows_done
        if now.dev_quality is None or finished <= self._shown:
            return
        self._shown = finished
        self._context.progress.say(f"epoch {finished}: {share(now.dev_quality)} on dev, loss {now.loss:.3f}")
        self._context.tracker.live("train", self._context.case.spec.metric, now.dev_quality, finished)
