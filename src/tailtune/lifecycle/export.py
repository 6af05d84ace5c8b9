"""Export what may win for serving without torch, as fast as its answers stay the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.encoders import ExportedModel, Parity
from tailtune.core.records import Answer, Row
from tailtune.core.reports import ExportReport
from tailtune.judge.parity import Parts, cannot_pass, same_enough, same_parts, same_wholly
from tailtune.judge.scores import compare
from tailtune.lifecycle.candidates import folder_of
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import Predictor
from tailtune.predictors.encoder import EXPORTED
from tailtune.predictors.novelty import Novelty
from tailtune.predictors.onnx_graph import WEIGHTS, Source, Weights, export
from tailtune.predictors.passes import recorded
from tailtune.predictors.reading import ENCODER
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.base import Task
from tailtune.tasks.table import FINE_TUNE

TEXTS, FEW = 5000, 500
"""Texts that answers are compared on, if there are so many, dev rows first; and how many may be enough to refuse."""
KNOWN = 2000
"""Texts that are encoded to see how far new ones lie, where no more need to be answered."""


def run(context: Context) -> ExportReport:
    """Export the fine-tune and the best rung: with int8 weights if answers stay the same, else less and less reduced.

    Raises:
        MissingInputError: No decision was taken, or a candidate's files are not there.
    """
    ticket, inputs = context.inputs.json("decide/ticket.json"), context.inputs
    dev = inputs.rows("dev")
    texts = [*dev, *store.first_by_id(inputs.rows("train"), max(0, TEXTS - len(dev)))]
    models: list[ExportedModel] = []
    as_they_are: list[str] = []
    for name in ((FINE_TUNE,) if ticket["train"] else ()) + (ticket["best_rung"],):
        original = folder_of(context, name)
        source = saved.source(original)
        if source is None:
            as_they_are.append(saved.title(name))
            continue
        models.append(_exported(context, name, original, source, texts, len(dev)))
    store.note_rows(context.out, inputs.rows_digest)
    return ExportReport(
        use_case=context.case.name,
        stage="export",
        rows_digest=inputs.rows_digest,
        models=tuple(models),
        as_they_are=tuple(as_they_are),
    )


def _exported(
    context: Context, name: str, original: Path, source: Source, rows: Sequence[Row], dev: int
) -> ExportedModel:
    """A candidate's folder with its encoder beside it.

    Args:
        context: Of the stage.
        name: The candidate.
        original: Its folder.
        source: Its encoder.
        rows: Dev rows first, then others.
        dev: How many dev rows there are.
    """
    folder = context.out / "models" / name
    shutil.copytree(original, folder)
    tries: list[Parity] = []
    weights: Weights = "fp32"
    if name in PROMPT_RUNGS:  # its answers cost money; float32 chooses the same examples
        export(source, folder / ENCODER, weights)
    else:
        texts = [row.text for row in rows]
        context.progress.at(0, len(WEIGHTS), f"{saved.title(name)}: answers of the original")
        before = _Originals(saved.load(original), texts)
        few = before.to(FEW)
        for at, weights in enumerate(WEIGHTS):
            is_last = weights == WEIGHTS[-1]
            context.progress.at(at, len(WEIGHTS), f"{saved.title(name)}: {weights}")
            shutil.rmtree(folder / ENCODER, ignore_errors=True)
            export(source, folder / ENCODER, weights)
            with recorded() as passes:
                if is_last:  # taken whatever it answers; its vectors show how far other texts may lie
                    after = list(saved.load(folder).answer(texts[:KNOWN]))
                else:
                    after = _answers(context.case.task, saved.load(folder), texts, few)
            compared = after[:FEW] if is_last else after
            dev_rows = rows[: min(dev, len(compared))]
            tries.append(_parity(context, weights, before.to(len(compared)), compared, dev_rows))
            context.progress.say(f"{saved.title(name)}, {weights}: {tries[-1].reason}")
            if tries[-1].passed:
                Novelty.fit(np.stack(passes.vectors)).save(folder)
                break
    size = (folder / ENCODER / EXPORTED).stat().st_size / 1e6
    return ExportedModel(
        name=name, title=saved.title(name), weights=weights, megabytes=round(size, 1), tries=tuple(tries)
    )


@dataclass(frozen=True)
class _Originals:
    """One per candidate: its answers before it is exported, no more of them than are compared."""

    predictor: Predictor
    texts: Sequence[str]
    known: list[Answer] = field(default_factory=list)

    def to(self, count: int) -> list[Answer]:
        """Its answers to the first texts, so many of them."""
        self.known.extend(self.predictor.answer(self.texts[len(self.known) : count]))
        return self.known[:count]


def _answers(task: Task, exported: Predictor, texts: Sequence[str], few: Sequence[Answer]) -> list[Answer]:
    """Answers to all texts; to the first few alone where these show that it cannot pass.

    Args:
        task: Of the use case.
        exported: A candidate as exported.
        texts: To answer.
        few: The original's answers to the first.
    """
    after = list(exported.answer(texts[:FEW]))
    if not cannot_pass(same_parts(*(_parts(task, answers) for answers in (few, after)))):
        after += exported.answer(texts[FEW:])
    return after


def _parts(task: Task, answers: Sequence[Answer]) -> list[Parts]:
    return [task.parts(answer) for answer in answers]


def _parity(
    context: Context, weights: Weights, before: Sequence[Answer], after: Sequence[Answer], dev: Sequence[Row]
) -> Parity:
    task = context.case.task
    scores = [task.score(dev, answers[: len(dev)]) for answers in (after, before)]
    difference = compare(scores[0], scores[1], ("exported", "original")).difference
    both = _parts(task, before), _parts(task, after)
    same, wholly = same_parts(*both), same_wholly(*both) if task.in_parts else None
    # float32 is what all others are measured against; its rounding may still tip a tie.
    decision = same_enough(same, difference, wholly)
    passed = decision.yes or weights == WEIGHTS[-1]
    return Parity(
        weights=weights, same=same, same_objects=wholly, difference=difference, passed=passed, reason=decision.reason
    )
