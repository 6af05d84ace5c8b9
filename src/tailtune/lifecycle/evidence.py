"""What a verdict is made of, as values that the judge takes: measured rungs, targets, volume and prices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from tailtune.config.model import TargetsSpec, ValueSpec
from tailtune.config.prices import PriceSpec
from tailtune.core.errors import TailTuneError
from tailtune.core.measures import of_one
from tailtune.core.money import known_sum
from tailtune.core.reports import DiagnoseReport, Guard, LadderReport, PromptReport, RungResult, Surroundings
from tailtune.judge.constraints import S, Targets, best_of
from tailtune.judge.economics import DECLARED_AS, Cadence, CostInputs, training_usd
from tailtune.judge.evidence import STRONGER, Evidence
from tailtune.judge.guards import MUST_NOT_FAIL, by_default
from tailtune.lifecycle.context import Context
from tailtune.tasks import saved

STRONG = "lm_strong"
# A training step costs about this many encodings: forward, backward, and the adapter's own work (measured 3.0-4.5).
TRAINING_PER_ENCODING = 4.0


def targets_of(spec: TargetsSpec, ladder: LadderReport) -> Targets:
    """What the product needs, as values that the judge takes.

    Args:
        spec: As declared.
        ladder: Knows how many train rows each label has.
    """
    return Targets(
        metric=spec.METRIC,
        quality=spec.quality,
        min_effect=spec.min_effect,
        head_room=spec.head_room,
        min_train_rows=spec.min_train_rows,
        margin=spec.margin,
        p99_ms=spec.p99_ms,
        validity=spec.validity,
        guards=tuple(_guards(spec, ladder)),
    )


def _guards(spec: TargetsSpec, ladder: LadderReport) -> Iterator[Guard]:
    """Floors as declared; that of macro F1 also where nobody declared one and the labels are too uneven."""
    if spec.macro_f1:
        yield Guard(metric="macro_f1", floor=spec.macro_f1)
    elif spec.macro_f1 is None and spec.METRIC == "accuracy":
        assumed = by_default(ladder.label_rows, spec.quality)
        yield from () if assumed is None else (assumed,)
    for kind, floors in (("recall", spec.recall), ("f1", spec.f1)):
        for name, floor in floors.items():
            yield Guard(metric=of_one(kind, name), floor=floor)
    if spec.must_not_fail is not None:
        yield Guard(metric=MUST_NOT_FAIL, floor=1)


def candidates_of(ladder: LadderReport) -> list[RungResult]:
    """The local rungs that may stay or win: those that read the text."""
    return [rung for rung in ladder.rungs if not saved.ignores_text(rung.name)]


def line_of(results: Iterable[S]) -> S | None:
    """The line that others must beat: the best of what ignores the text; None where nothing of it was measured."""
    return best_of(result for result in results if saved.ignores_text(result.name))


def training_cost(context: Context) -> float | None:
    """US dollars that a training is expected to cost, at the pace of the ladder; None when no price is declared.

    Raises:
        MissingInputError: The ladder has not run.
    """
    ladder, spec = context.inputs.report(LadderReport), context.case.spec.train
    pace = ladder.encode_rows_per_s / TRAINING_PER_ENCODING
    rows = min(ladder.train_rows, spec.max_rows)
    return training_usd(rows, spec.epochs, pace, context.inputs.prices.machine_hour_usd)


def evidence(context: Context, estimated: float | None, seen: Surroundings) -> Evidence:
    """Everything that a verdict is made of before training.

    Args:
        context: Of a stage after the diagnosis.
        estimated: What a training is expected to cost.
        seen: Change cadence and stored data at the time of the decision.

    Raises:
        MissingInputError: A stage before has not run.
        TailTuneError: All that was measured answers every text alike.
    """
    ladder, prompt = context.inputs.report(LadderReport), context.inputs.report(PromptReport)
    local = candidates_of(ladder)
    measured = [rung for rung in prompt.rungs if not math.isnan(rung.quality.value)]
    empty = [f"{rung.title}: nothing it answered can be scored" for rung in prompt.rungs if rung not in measured]
    if not (local or measured):
        shown, only = context.shown(context.paths.model_yaml), ", ".join(rung.title for rung in ladder.rungs)
        raise TailTuneError(
            f"{shown}: nothing that reads the text was measured, only {only}; expected a further rung in ladder.rungs",
            f"tailtune check {context.case.name}",
        )
    cadence = Cadence(seen.declared_days, seen.seen_days)
    bought = known_sum(rung.usd for rung in prompt.rungs)
    return Evidence(
        rungs=(*local, *measured),
        line=line_of(ladder.rungs),
        labels=next((noise for noise in ladder.labels if noise.split == "dev"), None),
        curve=ladder.curve,
        train_rows=ladder.train_rows,
        estimated_usd=estimated,
        unmeasured=tuple(dict.fromkeys((*_no_stronger(prompt), *ladder.unmeasured, *prompt.unmeasured, *empty))),
        unprompted=not (prompt.models or prompt.rungs),
        narrow=context.case.task.narrow,
        cadence=cadence,
        reading=ladder.reading,
        diagnosis=context.inputs.report(DiagnoseReport),
        inputs=_cost_inputs(context, local, cadence.days, seen.kept_gb, ladder.train_rows, estimated, bought),
    )


def _no_stronger(prompt: PromptReport) -> Iterator[str]:
    """That no stronger model was asked, and why; nothing where one was, needed not be, or is named as not measured."""
    if "strong" not in prompt.models.values():
        yield STRONGER
    elif not any(rung.role == "strong" for rung in prompt.rungs) and STRONG not in prompt.not_needed:
        title = saved.title(STRONG)
        if not any(title in what for what in prompt.unmeasured):
            yield f"{title}: {STRONG} is not among prompt.rungs"


def _cost_inputs(
    context: Context,
    local: Sequence[RungResult],
    cadence_days: float | None,
    kept_gb: float,
    train_rows: int,
    estimated: float | None,
    bought: float | None,
) -> CostInputs | None:
    """Volume and prices; None when no volume is declared.

    A fine-tune is taken to be as slow as the slowest local rung: both read the text with the encoder.
    """
    value = context.case.spec.value
    if value.requests_per_day is None:
        return None
    prices, label_usd = context.inputs.prices, value.label_usd
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
        utilisation=prices.utilisation,
        tuned_ms=max((rung.latency.mean_ms for rung in local), default=None),
        person_hour_usd=prices.person_hour_usd,
        label_usd=prices.label_usd if label_usd is None else label_usd,
        defaults=_defaults(value, prices),
        storage_gb_month_usd=prices.storage_gb_month_usd,
    )


def _defaults(value: ValueSpec, prices: PriceSpec) -> frozenset[str]:
    """Attributes of CostInputs that are a default which nobody declared."""
    declared = {f"value.{key}" for key in value.model_fields_set}
    if value.label_usd is not None:
        declared.add("label_usd")
    keys = {*prices.defaults, "value.prompt_hours_per_change", "value.retrain_hours_per_change"} - declared
    return frozenset(name for name, key in DECLARED_AS.items() if key in keys)
