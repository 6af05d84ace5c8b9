"""Say of each failure of the best prompt on dev whether the model, the context or the label is at fault."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence

from tailtune.core.errors import MissingInputError
from tailtune.core.records import Row
from tailtune.core.reports import DiagnoseReport, PromptedRung, PromptReport
from tailtune.judge import diagnose
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.diagnose.failing import Failing, failures_of, read_failing, write_failures
from tailtune.lifecycle.diagnose.places import places_of
from tailtune.lifecycle.weights import require_unchanged
from tailtune.services import store

NO_PROMPT = "failures of a prompt (no prompt of the base model was measured)"
NO_WITNESS = "which labels are suspect to a second model (no local rung that learns was measured)"
NO_STRONG = (
    "which failures a stronger model would get right (no model with the role strong is declared in prompt.models)"
)


def run(context: Context) -> DiagnoseReport:
    """Ask the stronger model for the failing rows alone, and class every failure.

    Raises:
        MissingInputError: The stage `prompt` has not run, or ran on other rows or with other weights.
        EndpointError: The stronger model's endpoint does not answer; what was answered is kept and not paid again.
    """
    case, paths = context.case, context.paths
    train = store.read_rows(paths.rows("train"), "train", case.name)
    dev = store.read_rows(paths.rows("dev"), "dev", case.name)
    digest = store.rows_digest(train, dev)
    prompted = store.read_report(paths.report("prompt"), PromptReport, case.name)
    if prompted.rows_digest != digest:
        shown = context.project.shown(paths.report("prompt"))
        raise MissingInputError(
            f"{shown}: made from other rows ({prompted.rows_digest}, now {digest})", f"tailtune run {case.name}"
        )
    require_unchanged(context)
    shutil.rmtree(paths.stage("diagnose"), ignore_errors=True)
    store.note_rows(paths.stage("diagnose"), digest)
    report = DiagnoseReport(use_case=case.name, stage="diagnose", rows_digest=digest)
    best = next((rung for rung in prompted.rungs if rung.name == prompted.best), None)
    if best is None:
        write_failures(context, (), ())
        context.progress.say("no prompt was measured: there is nothing to diagnose")
        return report.model_copy(update={"unmeasured": (NO_PROMPT,)})
    return _diagnosed(context, best, read_failing(context, best.name, dev), dev, report)


def _diagnosed(
    context: Context, best: PromptedRung, failing: Failing, dev: Sequence[Row], report: DiagnoseReport
) -> DiagnoseReport:
    strong = context.case.spec.prompt.model("strong")
    if failing.rows:
        from tailtune.lifecycle.diagnose.asking import ask_again
        from tailtune.lifecycle.diagnose.witness import local_witness

        ask_again(context, best.name, failing)
        failing.witness = local_witness(context, dev)
    failures = failures_of(context, failing)
    reasons = diagnose.explain(failures, failing.shown, strong is not None)
    classes = diagnose.classes(failures, reasons, places_of(context, best.prompt, failures))
    assert sum(one.rows for one in classes) == len(failing.rows)  # noqa: S101 - no failure may vanish
    write_failures(context, failures, reasons)
    for one in classes:
        context.progress.say(f"{one.rows:,} of {len(failures):,} failures, {one.reason}: {one.action}")
    unmeasured = [NO_STRONG] if strong is None else []
    if failures and not failing.witness.name:
        unmeasured.append(NO_WITNESS)
    missing = Counter(reasons)["not asked again"]
    if missing:
        unmeasured.append(
            f"{missing:,} of {len(failures):,} failures with the stronger model (prompt.max_cost_usd is spent)"
        )
    return report.model_copy(
        update={
            "rung": best.name,
            "strong_model": None if strong is None else strong.name,
            "rows": failing.answered,
            "failures": len(failures),
            "classes": classes,
            "mixed_up": diagnose.mixed_up(failures),
            "usd_spent": failing.usd_spent,
            "unmeasured": tuple(unmeasured),
        }
    )
