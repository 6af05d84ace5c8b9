"""Prompted models and the diagnosis of their failures as runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tailtune.config.model import Declared
from tailtune.core.measures import MEASURES
from tailtune.core.reports import DiagnoseReport, PromptedRung, PromptReport
from tailtune.core.run_plan import RunPlan, Table, columns, points
from tailtune.report import figures
from tailtune.services.mlflow.home import shown
from tailtune.services.mlflow.prompts import prompt_name
from tailtune.services.mlflow.shapes.columns import TRAIN_DEV, paired, quality, section

_LINKED = "mlflow.linkedPrompts"
"""What MLflow's own `link_prompt_version_to_run` writes; the UI then leads from a run to its prompt."""


def prompt(report: PromptReport, case: Declared) -> RunPlan:
    """A parent with one child per prompted rung, whose columns are those of every other rung."""
    drawn: dict[str, Callable[[], Any]] = {}
    if report.rungs:
        drawn = {
            "figures/quality.png": partial(figures.quality, report.rungs, "dev", case.spec.targets.quality),
            "figures/latency_quality.png": partial(figures.latency_quality, report.rungs, "dev"),
        }
    return RunPlan(
        name="prompt",
        note=_said(report),
        params=_declared(case) | {"split": "dev"} | ({"best_rung": report.best} if report.best else {}),
        metrics=points(
            {
                "rungs": len(report.rungs),
                "dev_rows": report.dev_rows,
                "rows_asked": report.rows_bought,
                "rows_saved_share": report.rows_saved_share,
                "usd_saved_share": report.usd_saved_share,
                "usd_spent": report.usd_spent,
                "usd_estimated": report.usd_estimated,
                "unmeasured": len(report.unmeasured),
            }
        ),
        splits=TRAIN_DEV,
        figures=drawn,
        children=tuple(_rung(rung, case) for rung in report.rungs),
    )


def _said(report: PromptReport) -> str:
    best = next((rung for rung in report.rungs if rung.name == report.best), None)
    if best is None:
        parts = ["No prompted model was measured."]
    else:
        found, measure = best.quality, MEASURES[best.metric].title
        parts = [
            f"{len(report.rungs)} prompted rungs on dev rows; best is **{best.title}** ({best.model}) with {measure} "
            f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}) on {found.rows:,} rows."
        ]
    for title, lines in (
        ("Not needed", [f"{rung}: {why}" for rung, why in report.not_needed.items()]),
        ("Not measured", report.unmeasured),
        ("Notes", report.notes),
    ):
        if lines:
            parts.append(f"{title}:\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


def _declared(case: Declared) -> dict[str, str]:
    """The section `prompt`; a model is named with its place, which may hold a password that nobody shall read here."""
    params = section(case, "prompt")
    params.pop("prompt.models", None)
    for model in case.spec.prompt.models:
        place = shown(model.endpoint) if model.endpoint else str(model.folder)
        params[f"prompt.model.{model.name}"] = f"{model.role}: {model.called} at {place}"
    return params


def _rung(rung: PromptedRung, case: Declared) -> RunPlan:
    params = {
        "split": "dev",
        "rung": rung.name,
        "fit_rows": str(rung.fit_rows),
        "model": rung.model,
        "role": rung.role,
        "prompt": rung.prompt,
        "prompt_digest": rung.prompt_digest,
        "constrained": str(rung.constrained).lower(),
        "settled": rung.settled,
    }
    tags = {}
    if rung.prompt_version is not None:
        params["prompt_version"] = str(rung.prompt_version)
        linked = {"name": prompt_name(case.name, rung.prompt), "version": str(rung.prompt_version)}
        tags[_LINKED] = json.dumps([linked])
    return RunPlan(
        name=rung.title,
        note="\n".join(f"- {note}" for note in rung.notes),
        params=params,
        metrics=points(_figures(rung)),
        tags=tags,
        splits=TRAIN_DEV,
    )


def _figures(rung: PromptedRung) -> dict[str, float | None]:
    asked = rung.quality.rows
    return {
        **quality(rung),
        **paired(rung.comparison),
        "p_adjusted": rung.p_adjusted,
        "fit_s": rung.fit_s,
        "rows_asked": asked,
        "rows_saved_share": 1 - asked / rung.of_rows if rung.of_rows else None,
        "usd": rung.usd,
        "usd_per_1000_low": rung.usd_low,
        "usd_per_1000_high": rung.usd_high,
        "input_tokens": rung.input_tokens,
        "output_tokens": rung.output_tokens,
        "unpriced_rows": rung.unpriced_rows,
        "cached_rows": rung.cached_rows,
        "retries": rung.retries,
        "examples_dropped": rung.examples_dropped,
        **{f"invalid/{why}": rows for why, rows in rung.invalid.items()},
    }


def diagnose(report: DiagnoseReport, case: Declared) -> RunPlan:
    """Whose fault the failures are: counts by fault as metrics, reasons and examples as tables."""
    faults: dict[str, float | None] = {}
    for one in report.classes:
        faults[f"failures/{one.fault}"] = (faults.get(f"failures/{one.fault}") or 0) + one.rows
    if report.rung is None:
        parts = ["Nothing was diagnosed: no prompted rung was measured."]
    else:
        parts = [f"{report.failures:,} failures of {report.rung} on {report.rows:,} dev rows."]
    parts += [f"- **{one.fault}: {one.reason}** {one.rows:,} rows. {one.action}" for one in report.classes]
    parts += [f"- Not measured: {line}" for line in report.unmeasured]
    named = {"rung": report.rung, "strong_model": report.strong_model, "split": "dev"}
    return RunPlan(
        name="diagnose",
        note="\n".join(parts),
        params={name: value for name, value in named.items() if value},
        metrics=points({"rows": report.rows, "failures": report.failures, "usd_spent": report.usd_spent, **faults}),
        splits=TRAIN_DEV,
        tables={
            "classes.json": _classes(report),
            "examples.json": _examples(report),
            "mixed_up.json": columns(report.mixed_up),
        },
    )


def _classes(report: DiagnoseReport) -> Table:
    if not report.classes:
        return {}
    table: Table = {
        name: [getattr(one, name) for one in report.classes] for name in ("fault", "reason", "rows", "action")
    }
    shares = [one.share for one in report.classes]
    return {
        **table,
        "share": [share.value for share in shares],
        "share_low": [share.low for share in shares],
        "share_high": [share.high for share in shares],
    }


def _examples(report: DiagnoseReport) -> Table:
    shown_ones = [(one, example) for one in report.classes for example in one.examples]
    if not shown_ones:
        return {}
    of_class: Table = {"fault": [one.fault for one, _ in shown_ones], "reason": [one.reason for one, _ in shown_ones]}
    return {**of_class, **columns([example for _, example in shown_ones])}
