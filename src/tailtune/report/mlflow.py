"""From a report to the run it becomes in MLflow: parameters, metrics, tags, tables and the page's own charts.

Nothing here imports MLflow or opens a file. Quality has the same metric names in every run, so that Compare puts runs
of several stages side by side; notes are the sections that the terminal and the page draw, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tailtune.config.model import ModelSpec
from tailtune.core.encoders import Parity
from tailtune.core.label_noise import LabelNoise
from tailtune.core.ledger import Bill, Ledger
from tailtune.core.records import Record, Split
from tailtune.core.reports import (
    CandidateResult,
    CurateReport,
    DecideReport,
    DiagnoseReport,
    Economics,
    EvaluateReport,
    ExportReport,
    LadderReport,
    Paired,
    PromptedRung,
    PromptReport,
    RegisterReport,
    Report,
    RungResult,
    Scored,
    TrainReport,
    ValidateReport,
)
from tailtune.core.run_plan import (
    Point,
    RunPlan,
    Table,
    estimate_values,
    points,
    prompt_name,
    scored_values,
)
from tailtune.core.secrets import without_password
from tailtune.judge.constraints import best_candidate
from tailtune.report import sections, tables
from tailtune.report.html import charts
from tailtune.report.story import Candidate, Kind

TRAIN_DEV: tuple[Split, ...] = ("train", "dev")
ALL: tuple[Split, ...] = ("train", "dev", "test")
_LINKED = "mlflow.linkedPrompts"
"""What MLflow's own `link_prompt_version_to_run` writes; the UI then leads from a run to its prompt."""

Values = dict[str, float | None]


def plan(report: Report, spec: ModelSpec, failures: Path | None = None) -> RunPlan:
    """The run that a report becomes.

    Args:
        report: Of any stage.
        spec: What was declared; its sections become parameters.
        failures: File with the test rows that the winner got wrong, kept with the evaluation where it is there.

    Raises:
        KeyError: A kind of report that has no run here.
    """
    made = _PLANS[type(report)](report, spec)
    kept = ((failures, "failures"),) if made.name == "evaluate" and failures is not None and failures.is_file() else ()
    return replace(
        made,
        note=sections.of_report(report).markdown(),
        tables={f"{name}.json": table for name, table in tables.of_report(report).items()},
        files=kept,
    )


def _values(record: Record, *names: str) -> Values:
    """Figures of a record that are metrics of the same name."""
    return {name: getattr(record, name) for name in names}


def _section(spec: ModelSpec, name: str, lead: str | None = None) -> dict[str, str]:
    """A section of model.yaml as parameters; what is null has none."""
    lead = f"{name}." if lead is None else lead
    return {
        f"{lead}{key}": ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in spec.section(name).items()
        if value is not None
    }


def _paired(comparison: Paired | None) -> Values:
    """A comparison on the same rows; nothing when there was none."""
    if comparison is None:
        return {}
    return {
        **estimate_values("difference", comparison.difference),
        **_values(comparison, "p", "only_first_right", "only_second_right"),
    }


def _economics(found: Economics | None) -> Values:
    """Candidates in dollars: `tco_usd/<candidate>` and its parts, net value and break-even with their intervals."""
    if found is None:
        return {}
    values = _values(found, "requests_per_day", "error_usd", "horizon_months")
    values["net_value_probability"] = found.probability
    estimates = {
        "net_value_usd": found.net_value,
        "break_even_per_day": found.break_even_per_day,
        "cheaper_until_per_day": found.cheaper_until_per_day,
    }
    for name, estimate in estimates.items():
        values |= {} if estimate is None else estimate_values(name, estimate)
    for candidate in found.candidates:
        values |= {
            f"tco_usd/{candidate.name}": candidate.total_usd,
            f"one_off_usd/{candidate.name}": candidate.one_off_usd,
            f"monthly_usd/{candidate.name}": candidate.monthly_usd,
            f"request_usd/{candidate.name}": candidate.request_usd,
        }
    return values


def _charts(**drawn: charts.Picture | None) -> dict[str, str]:
    """Artifact file → picture, of those with something to show."""
    return {f"figures/{name}.svg": picture.file() for name, picture in drawn.items() if picture}


def _compared(
    scored: Sequence[RungResult | CandidateResult], kind: Kind, target: float, best: str
) -> dict[str, charts.Picture | None]:
    """Pictures of predictors side by side: quality, and quality against cost and time."""
    if not scored:
        return {}
    candidates = [Candidate(result, kind) for result in scored]
    return {
        "quality": charts.whiskers(scored, target, best),
        "cost_quality": charts.trade_off(candidates, target, best),
        "times": charts.times([candidate for candidate in candidates if not candidate.ignores_text]),
    }


def _line_to_beat(scored: Scored) -> dict[str, str]:
    """The tag of a run that only shows what others must beat."""
    return {"tailtune.line_to_beat": "true"} if scored.ignores_text else {}


def _curate(report: CurateReport, spec: ModelSpec) -> RunPlan:
    values = _values(report, "rows_read", "rows_kept")
    values |= {f"rows_{split}": rows for split, rows in report.splits.items()}
    values |= {f"dropped/{reason}": rows for reason, rows in report.dropped.items()}
    values |= {f"changed/{what}": rows for what, rows in report.changed.items()}
    values |= {f"unaligned/{field}": rows for field, rows in report.unaligned.items()}
    return RunPlan(
        name="curate",
        params=_section(spec, "curate") | _section(spec, "split"),
        metrics=points(values),
        splits=ALL,
    )


def _validate(report: ValidateReport, spec: ModelSpec) -> RunPlan:
    return RunPlan(
        name="validate",
        params=_section(spec, "validate"),
        metrics=points(
            {
                "rows_read": report.rows_read,
                "expectations": len(report.expectations),
                "expectations_failed": sum(not result.passed for result in report.expectations),
                "bad_rows": sum(result.bad_rows for result in report.expectations),
            }
        ),
        tags={"tailtune.passed": _flag(report.passed)},
        splits=ALL,
        status="FINISHED" if report.passed else "FAILED",
    )


def _flag(value: bool) -> str:
    return str(value).lower()


def _ladder(report: LadderReport, spec: ModelSpec) -> RunPlan:
    """A parent with one child per rung, and the learning curve by number of train rows."""
    measure = report.rungs[0].metric
    curve = tuple(
        point for at in report.curve for point in points(estimate_values(f"curve_{measure}", at.quality), step=at.rows)
    )
    best, target = best_candidate(report.rungs), spec.targets.quality
    name = best.name if best else ""
    figures = _values(report, "train_rows", "dev_rows", "fit_rows_capped", "encode_rows_per_s")
    figures |= _labels(report.labels)
    return RunPlan(
        name="ladder",
        params=_section(spec, "ladder") | {"split": "dev"} | ({"best_rung": name} if name else {}),
        metrics=points(figures) + curve,
        splits=TRAIN_DEV,
        texts=_charts(
            **_compared(report.rungs, "local", target, name),
            learning_curve=charts.curve(report.curve, target, measure),
        ),
        children=tuple(
            RunPlan(
                name=rung.title,
                params={"split": "dev", "rung": rung.name, "fit_rows": str(rung.fit_rows)},
                metrics=points({**scored_values(rung), "fit_s": rung.fit_s}),
                tags=_line_to_beat(rung),
                splits=TRAIN_DEV,
            )
            for rung in report.rungs
        ),
    )


def _labels(noises: Sequence[LabelNoise]) -> Values:
    """How many labels look wrong in each split, and the share of wrong ones."""
    values: Values = {}
    for noise in noises:
        values |= {f"suspect_labels_{noise.split}": float(noise.suspect_rows)}
        values |= estimate_values(f"wrong_labels_{noise.split}", noise.wrong)
    return values


def _prompt(report: PromptReport, spec: ModelSpec) -> RunPlan:
    """A parent with one child per prompted rung, whose columns are those of every other rung."""
    best = report.best or ""
    figures: Values = {
        **_values(report, "dev_rows", "rows_saved_share", "usd_saved_share", "usd_spent", "usd_estimated"),
        "rungs": len(report.rungs),
        "rows_asked": report.rows_bought,
        "unmeasured": len(report.unmeasured),
    }
    return RunPlan(
        name="prompt",
        params=_prompt_section(spec) | {"split": "dev"} | ({"best_rung": best} if best else {}),
        metrics=points(figures),
        splits=TRAIN_DEV,
        texts=_charts(**_compared(report.rungs, "prompted", spec.targets.quality, best)),
        children=tuple(_prompted_rung(rung, report.use_case) for rung in report.rungs),
    )


def _prompt_section(spec: ModelSpec) -> dict[str, str]:
    """The section `prompt`; a model is named with its place, without a password that may stand in it."""
    params = _section(spec, "prompt")
    params.pop("prompt.models", None)
    for model in spec.prompt.models:
        place = without_password(model.endpoint) if model.endpoint else model.folder or f"embedded: {model.embedded}"
        request = f", request {json.dumps(model.request, sort_keys=True)}" if model.request else ""
        params[f"prompt.model.{model.name}"] = f"{model.role}: {model.called} at {place}{request}"
    return params


def _prompted_rung(rung: PromptedRung, use_case: str) -> RunPlan:
    names = ("fit_rows", "model", "role", "prompt", "prompt_digest", "settled")
    params = {"split": "dev", "rung": rung.name, "constrained": _flag(rung.constrained)}
    params |= {name: str(getattr(rung, name)) for name in names}
    tags = {}
    if rung.prompt_version is not None:
        params["prompt_version"] = str(rung.prompt_version)
        linked = {"name": prompt_name(use_case, rung.prompt), "version": str(rung.prompt_version)}
        tags[_LINKED] = json.dumps([linked])
    answered = rung.quality.rows
    figures: Values = {
        **scored_values(rung),
        **_paired(rung.comparison),
        **_values(rung, "p_adjusted", "fit_s", "usd", "input_tokens", "output_tokens"),
        **_values(rung, "unpriced_rows", "cached_rows", "retries", "examples_dropped"),
        "rows_asked": answered,
        "rows_saved_share": 1 - answered / rung.of_rows if rung.of_rows else None,
        "usd_per_1000_low": rung.usd_low,
        "usd_per_1000_high": rung.usd_high,
        **{f"invalid/{why}": rows for why, rows in rung.invalid.items()},
    }
    note = "\n".join(f"- {note}" for note in rung.notes)
    return RunPlan(name=rung.title, note=note, params=params, metrics=points(figures), tags=tags, splits=TRAIN_DEV)


def _diagnose(report: DiagnoseReport, spec: ModelSpec) -> RunPlan:
    """Whose fault the failures are: counts by fault as metrics, reasons and examples as tables."""
    faults: Values = {}
    for cause in report.classes:
        faults[f"failures/{cause.fault}"] = (faults.get(f"failures/{cause.fault}") or 0) + cause.rows
    params = {"rung": report.rung, "strong_model": report.strong_model, "split": "dev"}
    return RunPlan(
        name="diagnose",
        params={name: value for name, value in params.items() if value},
        metrics=points({**_values(report, "rows", "failures", "usd_spent"), **faults}),
        splits=TRAIN_DEV,
    )


def _decide(report: DecideReport, spec: ModelSpec) -> RunPlan:
    """The verdict before training money is spent, with the five questions."""
    figures: Values = {
        f"target_{report.metric}": report.target,
        "estimated_train_usd": report.estimated_train_usd,
        "unmeasured": len(report.unmeasured),
        **_economics(report.economics),
        **{f"evidence/{name}": value for question in report.questions for name, value in question.figures.items()},
    }
    return RunPlan(
        name=f"decide: {report.verdict}",
        params=_section(spec, "targets") | {"best_rung": report.best_rung, "may_train": _flag(report.train.yes)},
        metrics=points(figures),
        tags={"tailtune.verdict": report.verdict, "tailtune.provisional": _flag(report.provisional)},
        texts=_charts(break_even=charts.break_even(report.economics)) if report.economics else {},
    )


def _train(report: TrainReport, spec: ModelSpec) -> RunPlan:
    """Training by epoch; its dev quality under the same name as every rung's."""
    if not report.trained:
        return RunPlan(name="train: not trained", tags={"tailtune.trained": "false"}, splits=TRAIN_DEV)
    per_epoch = tuple(
        point
        for epoch in report.epochs
        for point in points(
            {f"dev_{report.metric}": epoch.dev_quality, **_values(epoch, "train_loss", "dev_loss", "rows_per_s")},
            step=epoch.epoch,
        )
    )
    best = next((epoch for epoch in report.epochs if epoch.epoch == report.best_epoch), None)
    figures: Values = {
        report.metric: None if best is None else best.dev_quality,
        **_values(report, "train_rows", "dev_rows", "trainable_parameters", "best_epoch", "temperature"),
        "resumed_from_step": report.resumed_from_step,
        "rows_per_s_mean": report.rows_per_s,
        "fit_s": None if report.cost is None else report.cost.wall_s,
    }
    return RunPlan(
        name="train: LoRA",
        params=_section(spec, "train", lead="")
        | {"split": "dev", "rung": "lora", "fit_rows": str(report.train_rows), "precision": report.precision},
        metrics=points(figures) + per_epoch,
        tags={"tailtune.trained": "true"} | ({"tailtune.stopped": report.stopped} if report.stopped else {}),
        splits=TRAIN_DEV,
    )


def _export(report: ExportReport, spec: ModelSpec) -> RunPlan:
    """A parent, and one child per candidate whose encoder was exported."""
    names = ", ".join(f"{model.name} {model.weights}" for model in report.models)
    return RunPlan(
        name=f"export: {names or 'nothing to export'}",
        splits=TRAIN_DEV,
        children=tuple(
            RunPlan(
                name=f"{model.title}: {model.weights}",
                params={"split": "dev", "rung": model.name, "weights": model.weights},
                metrics=points(
                    {"megabytes": model.megabytes}
                    | (estimate_values("same_answer", model.tries[-1].same) if model.tries else {})
                    | _same_objects(model.tries)
                    | (estimate_values("difference", model.tries[-1].difference) if model.tries else {})
                ),
                splits=TRAIN_DEV,
            )
            for model in report.models
        ),
    )


def _same_objects(tries: Sequence[Parity]) -> dict[str, float]:
    found = tries[-1].same_objects if tries else None
    return {} if found is None else estimate_values("same_object", found)


def _evaluate(report: EvaluateReport, spec: ModelSpec) -> RunPlan:
    """A parent with the comparison, and one child per candidate on test."""
    final = report.final
    verdict = {} if final is None else {"tailtune.verdict": final.verdict}
    figures: Values = {
        **_values(report, "test_rows", "failures", "usd_spent"),
        **_paired(report.comparison),
        **_labels((report.labels,) if report.labels else ()),
        **_economics(None if final is None else final.economics),
    }
    return RunPlan(
        name="evaluate" if final is None else f"evaluate: {final.verdict}",
        params=_section(spec, "evaluate") | {"split": "test", "winner": report.winner},
        metrics=points(figures),
        tags=verdict | ({} if final is None else {"tailtune.provisional": _flag(final.provisional)}),
        splits=("test",),
        texts=_charts(
            **_compared(report.candidates, "local", spec.targets.quality, report.winner),
            calibration=charts.calibration(report.calibration),
            confusions=charts.confusions(report.confusions),
            weakest=charts.weakest(report.per_class or report.per_field),
        ),
        children=tuple(
            RunPlan(
                name=candidate.title,
                params={"split": "test", "rung": candidate.name},
                metrics=points({**scored_values(candidate), "ece": candidate.ece}),
                tags=_line_to_beat(candidate),
                splits=("test",),
            )
            for candidate in report.candidates
        ),
    )


def _register(report: RegisterReport, spec: ModelSpec) -> RunPlan:
    """The run that holds the model's files; its quality metrics were logged when the version was made."""
    difference = {} if report.comparison is None else estimate_values("difference", report.comparison.difference)
    return RunPlan(
        name=f"{report.model} v{report.version}",
        metrics=points({**difference, "promoted": float(report.promotion.yes)}),
        tags={
            "tailtune.promotion": report.promotion.reason[:5000],
            **({} if report.look is None else {"tailtune.look": report.look.words}),
        },
        splits=("test",),
    )


_PLANS: dict[type[Report], Callable[[Any, ModelSpec], RunPlan]] = {
    CurateReport: _curate,
    ValidateReport: _validate,
    LadderReport: _ladder,
    PromptReport: _prompt,
    DiagnoseReport: _diagnose,
    DecideReport: _decide,
    TrainReport: _train,
    ExportReport: _export,
    EvaluateReport: _evaluate,
    RegisterReport: _register,
}


def ledger_plan(ledger: Ledger, economics: Economics | None) -> RunPlan:
    """The ledger as one run: every figure a metric whose step is the version, so that the UI draws it over versions.

    What comes after the last version has the next one's step.
    """
    numbers = [int(bill.version) for bill in ledger.bills if bill.version is not None]
    following = max(numbers, default=0) + 1
    by_version: tuple[Point, ...] = ()
    for bill in ledger.bills:
        by_version += points(_bill(bill, ledger.metric), step=int(bill.version) if bill.version else following)
    notes = [f"Dollars not known: {what}" for what in ledger.unknown] + [*ledger.unmeasured, *ledger.notes]
    lead = "What each version cost and brought, by version number. `tailtune cost` writes this run anew."
    return RunPlan(
        name="ledger",
        note="\n".join([lead, *(f"- {note}" for note in notes)]),
        metrics=by_version + points(_economics(economics)),
        tables={"ledger.json": _ledger_table(ledger)},
    )


def _bill(bill: Bill, metric: str) -> Values:
    values: Values = {f"ledger/{name}_usd": line.usd for name, line in bill.lines.items()}
    total = bill.total
    if bill.lines:
        values |= {"ledger/usd": total.usd, "ledger/unknown": total.unknown}
        values |= {"ledger/person_hours": total.hours, "ledger/labelled_rows": total.rows}
    return values | {
        metric: bill.quality,
        "ledger/usd_per_point": bill.usd_per_point,
        "ledger/cycle_hours": bill.cycle_hours,
    }


def _ledger_table(ledger: Ledger) -> Table:
    rows = [
        (bill.version or "next", category, line.usd, line.known_usd, line.unknown, line.hours, line.rows)
        for bill in ledger.bills
        for category, line in bill.lines.items()
    ]
    names = ("version", "for", "usd", "known_usd", "unknown", "hours", "rows")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)} if rows else {}
