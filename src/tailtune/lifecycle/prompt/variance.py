"""How much a model's answers vary when the same prompts are sent again, past the kept answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailtune.core.errors import MissingInputError, PartlyAnsweredError, UsageError
from tailtune.core.records import Estimate
from tailtune.core.reports import PromptReport
from tailtune.judge.shares import share_of
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models, require_unchanged_weights
from tailtune.lifecycle.prompt.step import bought_order
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted
from tailtune.services import store
from tailtune.tasks import saved


@dataclass(frozen=True)
class Variance:
    """One per measuring of repeats.

    Attributes:
        rung: Title of the best prompted rung.
        model: Who was asked.
        rows: Dev rows of every repeat.
        qualities: Quality of each repeat over those rows.
        changed: Share of rows whose answers were not all the same.
        usd: Paid; None when the cost of an answer is not known.
        whole: Whether the money sufficed for every row and repeat.
    """

    rung: str
    model: str
    rows: int
    qualities: tuple[float, ...]
    changed: Estimate
    usd: float | None
    whole: bool


def variance(context: Context, repeats: int) -> Variance:
    """Ask the best prompt's first dev rows again and again.

    Args:
        context: The stage's.
        repeats: How often each row is asked, at least 2; every one is paid for, up to `prompt.max_cost_usd`.

    Raises:
        UsageError: Less than two repeats.
        MissingInputError: No prompted rung was measured, or with other weights than those that are there now.
    """
    if repeats < 2:
        raise UsageError(
            f"--repeats {repeats}: expected at least 2", f"tailtune prompt {context.case.name} --repeats 3"
        )
    case, paths = context.case, context.paths
    report = store.read_report(paths.report("prompt"), PromptReport, case.name)
    if report.best is None:
        raise MissingInputError(
            f"{case.name}: no prompted rung was measured; there is nothing to repeat", f"tailtune run {case.name}"
        )
    require_unchanged_weights(context)
    rung = saved.load(paths.stage("prompt") / "rungs" / report.best)
    assert isinstance(rung, Prompted)  # noqa: S101 - the report's best is one of these
    dev = store.read_rows(paths.rows("dev"), "dev", case.name, case.task.parse_label)
    rows = bought_order(context, dev)[: case.spec.prompt.min_rows]
    repeated: list[Sequence[PromptAnswer]] = []
    with language_models(context) as models:
        fresh = replace(rung.using(models.open(rung.spec, fresh=True), rung.spec), name=rung.name)
        for number in range(repeats):
            context.progress.at(number, repeats, f"{saved.title(report.best)}: repeat {number + 1}")
            try:
                repeated.append(fresh.ask([row.text for row in rows], sample=number))
            except PartlyAnsweredError as out:
                context.progress.say(f"repeat {number + 1} was not finished: {out.message}")
                break
        spent = models.budget.spent_usd
    task = case.task
    scores = [task.score(rows, [reply.answer for reply in replies]) for replies in repeated]
    values = [[reply.answer.value for reply in replies] for replies in repeated]
    differ = int(np.sum([len(set(column)) > 1 for column in zip(*values, strict=True)])) if values else 0
    return Variance(
        rung=saved.title(report.best),
        model=rung.spec.name,
        rows=len(rows),
        qualities=tuple(score.quality.value for score in scores),
        changed=share_of(differ, len(rows) if len(values) > 1 else 0),
        usd=spent,
        whole=len(repeated) == repeats,
    )
