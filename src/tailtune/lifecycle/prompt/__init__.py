"""Measure prompted language models on the dev rows, no further than the question needs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tailtune.core.records import Row
from tailtune.core.reports import LadderReport, PromptReport
from tailtune.judge.constraints import meets_with_head_room, servable
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import targets_of
from tailtune.services import store

NO_MODEL = "prompted language models (none is declared in prompt.models)"


def run(context: Context) -> PromptReport:
    """Prompt the declared models on the dev rows, rung by rung, and stop when nothing more can change the verdict.

    Raises:
        MissingInputError: The ladder has not run, or a prompt file is missing.
        SpecError: A prompt file or a price is not as it must be.
        EndpointError: An endpoint does not answer; what was answered is kept and not paid again.
    """
    case, spec, paths = context.case, context.case.spec.prompt, context.paths
    train = store.read_rows(paths.rows("train"), "train", case.name)
    dev = store.read_rows(paths.rows("dev"), "dev", case.name)
    digest = store.rows_digest(train, dev)
    store.require_passed(paths.passed, digest, case.name)
    ladder = store.read_report(paths.report("ladder"), LadderReport, case.name)
    shutil.rmtree(paths.stage("prompt"), ignore_errors=True)
    store.note_rows(paths.stage("prompt"), digest)
    report = PromptReport(
        use_case=case.name,
        stage="prompt",
        rows_digest=digest,
        models={model.name: model.role for model in spec.models},
        dev_rows=min(len(dev), spec.max_rows),
    )
    if not spec.models:
        context.progress.say("no language model is declared: nothing is prompted")
        return report.model_copy(update={"unmeasured": (NO_MODEL,)})
    targets = targets_of(case.spec.targets)
    staying = next((r for r in ladder.rungs if servable(r, targets) and meets_with_head_room(r.quality, targets)), None)
    if staying is not None and spec.stop == "settled":
        why = f"{staying.title} meets the target without it"
        context.progress.say(f"nothing is bought: {why}")
        return report.model_copy(update={"not_needed": dict.fromkeys(spec.rungs, why)})
    from tailtune.lifecycle.prompt.measuring import measure

    return measure(context, report, ladder, train, bought_order(context, dev))


def bought_order(context: Context, dev: Sequence[Row]) -> list[Row]:
    """Dev rows in the order in which they are bought: every beginning has each class in proportion."""
    from tailtune.judge.sequential import stratified

    codec = context.case.task.codec()
    return [dev[place] for place in stratified(dev, codec.keys)][: context.case.spec.prompt.max_rows]
