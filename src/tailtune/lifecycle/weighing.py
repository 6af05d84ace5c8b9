"""What decide and evaluate weigh: the reports of rungs, prompts and their failures, what is declared, and prices."""

from __future__ import annotations

import math

from tailtune.config.model import TargetsSpec
from tailtune.config.prices import load_prices
from tailtune.core.errors import MissingInputError
from tailtune.core.money import known_sum
from tailtune.core.reports import DiagnoseReport, LadderReport, PromptReport, Surroundings
from tailtune.judge.constraints import Targets
from tailtune.judge.economics import Cadence, CostInputs, seen_days, training_usd
from tailtune.judge.verdict import Evidence
from tailtune.lifecycle.context import Context
from tailtune.services import sizes, store, versions

# A training step costs about this many encodings: forward, backward, and the adapter's own work (measured 3.0-4.5).
TRAINING_PER_ENCODING = 4.0
_GB, _DAY_S = 1e9, 86_400


def targets_of(spec: TargetsSpec) -> Targets:
    """What the product needs, as values that the judge takes."""
    return Targets(
        metric=spec.METRIC,
        quality=spec.quality,
        min_effect=spec.min_effect,
        head_room=spec.head_room,
        min_train_rows=spec.min_train_rows,
        p99_ms=spec.p99_ms,
        validity=spec.validity,
    )


def training_cost(context: Context) -> float | None:
    """US dollars that a training is expected to cost, at the pace of the ladder; None when no price is declared.

    Raises:
        MissingInputError: The ladder has not run.
    """
    case, spec = context.case, context.case.spec.train
    ladder = store.read_report(context.paths.report("ladder"), LadderReport, case.name)
    pace = ladder.encode_rows_per_s / TRAINING_PER_ENCODING
    rows = min(ladder.train_rows, spec.max_rows)
    return training_usd(rows, spec.epochs, pace, load_prices(context.project).machine_hour_usd)


def look(context: Context) -> Surroundings:
    """What counts and is no file that a stage reads: the cadence, as declared and as git shows it, and what is kept.

    DVC does not notice when it changes, so decide alone looks, and its report says what it saw.
    """
    case, paths, project = context.case, context.paths, context.project
    changed = versions.changes(project.root, (paths.prompts, case.answers_file))
    changed += versions.data_changes(project, case.name)
    return Surroundings(
        declared_days=case.spec.value.change_every_days,
        seen_days=seen_days([moment.timestamp() / _DAY_S for moment in changed]),
        kept_gb=(sizes.folder_bytes(paths.data) + sizes.folder_bytes(paths.build)) / _GB,
    )


def gather(context: Context, estimated: float | None, seen: Surroundings) -> tuple[Evidence, str]:
    """Everything that a verdict is made of before training, and the digest of the rows it is about.

    Args:
        context: Of a stage after the diagnosis.
        estimated: What a training is expected to cost.
        seen: What was seen when it was decided.

    Raises:
        MissingInputError: A stage before has not run, or ran on other rows.
    """
    case, paths = context.case, context.paths
    ladder = store.read_report(paths.report("ladder"), LadderReport, case.name)
    prompt = store.read_report(paths.report("prompt"), PromptReport, case.name)
    diagnosis = store.read_report(paths.report("diagnose"), DiagnoseReport, case.name)
    for report in (prompt, diagnosis):
        if report.rows_digest != ladder.rows_digest:
            shown = context.project.shown(paths.report(report.stage))
            raise MissingInputError(
                f"{shown}: made from other rows ({report.rows_digest}) than the ladder ({ladder.rows_digest})",
                f"tailtune run {case.name}",
            )
    measured = [rung for rung in prompt.rungs if not math.isnan(rung.quality.value)]
    empty = [f"{rung.title}: nothing it answered can be scored" for rung in prompt.rungs if rung not in measured]
    cadence = Cadence(seen.declared_days, seen.seen_days)
    bought = known_sum(rung.usd for rung in prompt.rungs)
    evidence = Evidence(
        rungs=(*ladder.rungs, *measured),
        curve=ladder.curve,
        train_rows=ladder.train_rows,
        estimated_usd=estimated,
        unmeasured=tuple(dict.fromkeys((*ladder.unmeasured, *prompt.unmeasured, *empty))),
        narrow=case.task.narrow,
        cadence=cadence,
        diagnosis=diagnosis,
        inputs=_cost_inputs(context, cadence.days, seen.kept_gb, ladder.train_rows, estimated, bought),
    )
    return evidence, ladder.rows_digest


def _cost_inputs(
    context: Context,
    cadence_days: float | None,
    kept_gb: float,
    train_rows: int,
    estimated: float | None,
    bought: float | None,
) -> CostInputs | None:
    """Volume and prices; None when no volume is declared."""
    value = context.case.spec.value
    if value.requests_per_day is None:
        return None
    prices = load_prices(context.project)
    return CostInputs(
        requests_per_day=value.requests_per_day,
        error_usd=value.error_usd,
        horizon_months=value.horizon_months,
        cadence_days=cadence_days,
        train_rows=train_rows,
        train_usd=estimated,
        measured_usd=bought,
        kept_gb=kept_gb,
        prompt_hours_per_change=value.prompt_hours_per_change,
        retrain_hours_per_change=value.retrain_hours_per_change,
        new_labels_per_change=value.new_labels_per_change,
        core_hour_usd=prices.cpu_core_hour_usd,
        serving_cores=prices.serving_cores,
        person_hour_usd=prices.person_hour_usd,
        label_usd=prices.label_usd,
        storage_gb_month_usd=prices.storage_gb_month_usd,
    )
