"""What must be true before a stage runs. A guard only refuses: it shapes no figure, so it may read more than the stage.

A guard that refuses names the command that puts things right.
"""

from __future__ import annotations

from collections.abc import Callable

from tailtune.core.errors import MissingInputError, StaleLadderError, UsageError
from tailtune.core.records import SPLITS
from tailtune.core.reports import DiagnoseReport, LadderReport, PromptReport
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import require_unchanged_weights
from tailtune.lifecycle.table import BY_NAME
from tailtune.services import store, versions

_NAMED = 5


def check(context: Context) -> None:
    """Every guard of the stage that the context is for.

    Raises:
        MissingInputError: An earlier stage has not run, ran on other rows, or with other weights.
        StaleLadderError: There is no ladder result for exactly these rows and this spec.
        UsageError: data/ was edited and not pinned.
    """
    for guard in GUARDS.get(context.stage, ()):
        guard(context)


def validated(context: Context) -> None:
    """Validation passed exactly these train and dev rows."""
    store.require_passed(context.paths.passed, context.inputs.rows_digest, context.case.name)


def labels_are_declared(context: Context) -> None:
    """The rows were curated with the answers that are allowed now: no row has a label, or a field, that is gone."""
    case, reads = context.case, BY_NAME[context.stage].reads
    allowed = frozenset(case.answers.names)
    gone: set[str] = set()
    for split in SPLITS:
        if f"build/${{key}}/curate/{split}.parquet" in reads:
            gone |= {name for row in context.inputs.rows(split) for name in case.task.names_in(row.label)} - allowed
    if gone:
        noun = case.task.noun if len(gone) == 1 else f"{case.task.noun}s"
        raise MissingInputError(
            f"{context.shown(case.answers_file)}: curated rows have the {noun} {', '.join(sorted(gone)[:_NAMED])}, "
            "which it does not declare any more",
            f"tailtune run {case.name}",
        )


def prompted_on_these_rows(context: Context) -> None:
    """The prompts were measured on the present rows."""
    prompted, digest = context.inputs.report(PromptReport), context.inputs.rows_digest
    if prompted.rows_digest != digest:
        shown = context.shown(context.paths.report("prompt"))
        raise MissingInputError(
            f"{shown}: made from other rows ({prompted.rows_digest}, now {digest})", f"tailtune run {context.case.name}"
        )


def measured_on_one_set_of_rows(context: Context) -> None:
    """Ladder, prompts and diagnosis are about the same rows."""
    ladder = context.inputs.report(LadderReport)
    for report in (context.inputs.report(PromptReport), context.inputs.report(DiagnoseReport)):
        if report.rows_digest != ladder.rows_digest:
            shown = context.shown(context.paths.report(report.stage))
            raise MissingInputError(
                f"{shown}: made from other rows ({report.rows_digest}) than the ladder ({ladder.rows_digest})",
                f"tailtune run {context.case.name}",
            )


def ladder_of_these_rows_and_spec(context: Context) -> None:
    """The ladder was measured on exactly these rows, with this spec: training never skips the baseline."""
    case, path, hint = context.case, context.paths.report("ladder"), f"tailtune run {context.case.name}"
    digest = context.inputs.rows_digest
    if not path.is_file():
        raise StaleLadderError(f"{context.shown(path)}: no ladder result; training never skips the baseline", hint)
    ladder = store.read_report(path, LadderReport, case.name)
    spec_digest = case.spec.digest(BY_NAME["ladder"].sections)
    # DVC reads model.yaml as text; a default that changed with TailTune itself leaves the ladder fresh in its eyes.
    for what, measured, now, next_ in (
        ("rows", ladder.rows_digest, digest, hint),
        ("spec", ladder.spec_digest, spec_digest, f"{hint} --force"),
    ):
        if measured != now:
            raise StaleLadderError(
                f"the ladder was measured on other {what} ({measured}, now {now}); measure it again", next_
            )


def decided_on_these_rows(context: Context) -> None:
    """The decision was taken on the present rows."""
    hint = f"tailtune run {context.case.name}"
    ticket = store.read_json(context.paths.ticket, "training", hint)
    if ticket["rows_digest"] != context.inputs.rows_digest:
        raise StaleLadderError("the decision was taken on other rows; take it again", hint)


def unseen_test_rows(context: Context) -> None:
    """What is to be scored on test was fitted on the train rows that belong to this very test."""
    case, paths = context.case, context.paths
    ticket = store.read_json(paths.ticket, "evaluation", f"tailtune run {case.name}")
    made = {"decision": ticket["rows_digest"], "ladder": paths.stage("ladder"), "export": paths.stage("export")}
    if ticket["train"]:
        made["adapter"] = paths.stage("train")
    store.require_same_rows(case.name, paths.passed, context.inputs.rows("test"), **made)


def data_is_pinned(context: Context) -> None:
    """A version names its rows by the hash in data.dvc, so what that pins must be what is here."""
    project, name = context.project, context.case.name
    if versions.data_hash(project) is None or not context.paths.data.is_dir():
        return
    if not versions.data_is_pinned(project, name):
        raise UsageError(
            f"{project.shown(context.paths.data)}: not as data.dvc pins it; the version would name rows it was not "
            "made from",
            f"tailtune run {name}",
        )


GUARDS: dict[str, tuple[Callable[[Context], None], ...]] = {
    "ladder": (labels_are_declared, validated),
    "prompt": (labels_are_declared, validated),
    "diagnose": (labels_are_declared, prompted_on_these_rows, require_unchanged_weights),
    "decide": (measured_on_one_set_of_rows,),
    "train": (labels_are_declared, ladder_of_these_rows_and_spec, decided_on_these_rows),
    "export": (labels_are_declared, decided_on_these_rows),
    "evaluate": (labels_are_declared, unseen_test_rows, require_unchanged_weights, measured_on_one_set_of_rows),
    "register": (labels_are_declared, data_is_pinned, require_unchanged_weights),
}
"""Stage → its guards, in order; a stage without a line needs none."""
