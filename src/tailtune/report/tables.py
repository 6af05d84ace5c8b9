"""The tables of each report as plain data, by name: MLflow keeps them as they are, Prefect shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tailtune.core.reports import (
    CandidateResult,
    CurateReport,
    DecideReport,
    DiagnoseReport,
    EvaluateReport,
    ExportReport,
    LadderReport,
    PromptedRung,
    PromptReport,
    Question,
    RegisterReport,
    Report,
    RungResult,
    SliceResult,
    TrainReport,
    ValidateReport,
)
from tailtune.core.run_plan import Table, columns, estimate_values
from tailtune.report.numbers import figure


def of_report(report: Report) -> dict[str, Table]:
    """Name → table, of those with a row. A share has columns for both ends of its interval beside it."""
    made = _TABLES.get(type(report), lambda _: {})(report)
    return {name: table for name, table in made.items() if table and any(table.values())}


def _rows(rows: Sequence[Mapping[str, object]]) -> Table:
    """Rows as columns; a row that lacks one has None there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _counts(what: str, counts: Mapping[str, int]) -> Table:
    return {what: list(counts), "rows": list(counts.values())}


def _curate(report: CurateReport) -> dict[str, Table]:
    return {
        "dropped": _counts("reason", report.dropped),
        "dropped_examples": columns(report.dropped_examples),
        "labels": _counts("label", report.labels),
    }


def _validate(report: ValidateReport) -> dict[str, Table]:
    table = columns(report.expectations)
    if table:
        table["bad_origins"] = [", ".join(result.bad_origins) for result in report.expectations]
    return {"expectations": table}


def _ladder(report: LadderReport) -> dict[str, Table]:
    measure = report.rungs[0].metric if report.rungs else ""
    curve = [{"train_rows": point.rows, **estimate_values(measure, point.quality)} for point in report.curve]
    return {"rungs": _rows([_scored(rung) for rung in report.rungs]), "curve": _rows(curve)}


def _prompt(report: PromptReport) -> dict[str, Table]:
    return {"rungs": _rows([{**_scored(rung), **_bought(rung)} for rung in report.rungs])}


def _scored(scored: RungResult | CandidateResult) -> dict[str, object]:
    """One predictor with all its measures, its time and its price; a line to beat has a column that says so."""
    latency = scored.latency
    return {
        "name": scored.name,
        **({"line_to_beat": True} if scored.ignores_text else {}),
        **{name: v for metric, found in scored.metrics.items() for name, v in estimate_values(metric, found).items()},
        "p50_ms": latency.p50_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        "usd_per_1000": scored.usd_per_1000,
    }


def _bought(rung: PromptedRung) -> dict[str, object]:
    return {
        "model": rung.model,
        "prompt": rung.prompt if rung.prompt_version is None else f"{rung.prompt} v{rung.prompt_version}",
        "rows": rung.quality.rows,
        "of_rows": rung.of_rows,
        "settled": rung.settled,
        "usable": rung.quality.rows - rung.invalid_rows,
        **(estimate_values("difference", rung.comparison.difference) if rung.comparison else {}),
        "p_adjusted": rung.p_adjusted,
        "usd": rung.usd,
    }


def _diagnose(report: DiagnoseReport) -> dict[str, Table]:
    causes = [
        {
            "fault": cause.fault,
            "reason": cause.reason,
            "rows": cause.rows,
            "action": cause.action,
            **estimate_values("share", cause.share),
        }
        for cause in report.classes
    ]
    examples = [
        {"fault": cause.fault, "reason": cause.reason, **example.model_dump()}
        for cause in report.classes
        for example in cause.examples
    ]
    return {"classes": _rows(causes), "examples": _rows(examples), "mixed_up": columns(report.mixed_up)}


def _decide(report: DecideReport) -> dict[str, Table]:
    names = ("title", "quality", "one_off_usd", "monthly_usd", "request_usd", "total_usd")
    costs = report.economics.candidates if report.economics else ()
    return {
        "questions": {**columns(report.questions), "figures": [_figures(question) for question in report.questions]},
        "ownership": _rows([{name: getattr(cost, name) for name in names} for cost in costs]),
    }


def _figures(question: Question) -> str:
    return ", ".join(figure(name, value) for name, value in question.figures.items())


def _train(report: TrainReport) -> dict[str, Table]:
    return {"epochs": columns(report.epochs)}


def _export(report: ExportReport) -> dict[str, Table]:
    tries = [
        {"candidate": model.title, "weights": each.weights, "passed": each.passed, "reason": each.reason}
        for model in report.models
        for each in model.tries
    ]
    return {"tries": _rows(tries)}


def _evaluate(report: EvaluateReport) -> dict[str, Table]:
    return {
        "candidates": _rows([_scored(candidate) for candidate in report.candidates]),
        "per_class": columns(report.per_class),
        "per_field": columns(report.per_field),
        "per_slice": _rows([_sliced(each) for each in report.per_slice]),
        "confusions": columns(report.confusions),
        "calibration": columns(report.calibration),
    }


def _sliced(found: SliceResult) -> dict[str, object]:
    return {
        "slice": found.name,
        "value": found.value,
        "rows": found.rows,
        **estimate_values("quality", found.quality),
        "behind": found.behind,
        "p_adjusted": found.p_adjusted,
    }


def _register(report: RegisterReport) -> dict[str, Table]:
    rows = [
        {
            "slice": change.name,
            "value": change.value,
            "rows": change.comparison.difference.rows,
            **estimate_values("difference", change.comparison.difference),
            "p_adjusted": change.p_adjusted,
        }
        for change in report.slices
    ]
    return {"slices": _rows(rows)}


_TABLES: dict[type[Report], Callable[[Any], dict[str, Table]]] = {
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
