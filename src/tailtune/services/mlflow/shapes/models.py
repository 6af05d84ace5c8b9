"""Training, evaluation and registration as runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tailtune.config.model import Declared
from tailtune.core.reports import CandidateResult, EvaluateReport, RegisterReport, TrainReport
from tailtune.core.run_plan import RunPlan, columns, estimate_values, points
from tailtune.report import figures
from tailtune.services.mlflow.shapes.columns import TRAIN_DEV, economy, paired, quality, section


def train(report: TrainReport, case: Declared) -> RunPlan:
    """Training by epoch; its dev accuracy under the same name as every rung's."""
    if not report.trained:
        return RunPlan(
            name="train: not trained", note=report.reason, tags={"tailtune.trained": "false"}, splits=TRAIN_DEV
        )
    per_epoch = tuple(
        point
        for epoch in report.epochs
        for point in points(
            {
                "train_loss": epoch.train_loss,
                "dev_loss": epoch.dev_loss,
                f"dev_{report.metric}": epoch.dev_quality,
                "rows_per_s": epoch.rows_per_s,
            },
            step=epoch.epoch,
        )
    )
    best = next((epoch for epoch in report.epochs if epoch.epoch == report.best_epoch), None)
    return RunPlan(
        name="train: LoRA",
        note=f"{report.reason}\n\n{report.stopped}".strip(),
        params=section(case, "train", prefix="")
        | {"split": "dev", "rung": "lora", "fit_rows": str(report.train_rows), "precision": report.precision},
        metrics=points(
            {
                report.metric: None if best is None else best.dev_quality,
                "train_rows": report.train_rows,
                "dev_rows": report.dev_rows,
                "trainable_parameters": report.trainable_parameters,
                "best_epoch": report.best_epoch,
                "temperature": report.temperature,
                "resumed_from_step": report.resumed_from_step,
                "rows_per_s_mean": report.rows_per_s,
                "fit_s": None if report.cost is None else report.cost.wall_s,
            }
        )
        + per_epoch,
        tags={"tailtune.trained": "true"} | ({"tailtune.stopped": report.stopped} if report.stopped else {}),
        splits=TRAIN_DEV,
    )


def evaluate(report: EvaluateReport, case: Declared) -> RunPlan:
    """A parent with the comparison, and one child per candidate on test."""
    drawn: dict[str, Callable[[], Any]] = {
        "figures/quality.png": partial(figures.quality, report.candidates, "test", case.spec.targets.quality),
        "figures/latency_quality.png": partial(figures.latency_quality, report.candidates, "test"),
    }
    if report.confusions:
        parts = report.per_class or report.per_field
        drawn["figures/confusions.png"] = partial(figures.confusions, report.confusions, parts)
    if report.per_field:
        drawn["figures/field_f1.png"] = partial(figures.field_f1, report.per_field)
    if report.calibration:
        drawn["figures/calibration.png"] = partial(figures.calibration, report.calibration)
    failures = case.paths.stage("evaluate") / "failures.jsonl"
    said = [f"{report.test_rows:,} test rows, opened once. Winner: **{report.winner}**. {report.winner_reason}"]
    final = report.final
    if final is not None:
        said.append(f"**Verdict: {final.verdict}{' (provisional)' if final.provisional else ''}.** {final.reason}")
    return RunPlan(
        name="evaluate",
        note="\n\n".join(said),
        params=section(case, "evaluate") | {"split": "test", "winner": report.winner},
        metrics=points(
            {
                "test_rows": report.test_rows,
                "failures": report.failures,
                "usd_spent": report.usd_spent,
                **paired(report.comparison),
                **economy(None if final is None else final.economics),
            }
        ),
        tags={}
        if final is None
        else {"tailtune.verdict": final.verdict, "tailtune.provisional": str(final.provisional).lower()},
        splits=("test",),
        tables={
            name: table
            for name, table in (
                ("per_class.json", columns(report.per_class)),
                ("per_field.json", columns(report.per_field)),
                ("confusions.json", columns(report.confusions)),
                ("calibration.json", columns(report.calibration)),
            )
            if table
        },
        figures=drawn,
        files=((failures, "failures"),) if failures.is_file() else (),
        children=tuple(_candidate(candidate) for candidate in report.candidates),
    )


def _candidate(candidate: CandidateResult) -> RunPlan:
    return RunPlan(
        name=candidate.title,
        params={"split": "test", "rung": candidate.name},
        metrics=points({**quality(candidate), "ece": candidate.ece}),
        splits=("test",),
    )


def register(report: RegisterReport, case: Declared) -> RunPlan:
    """The run that holds the model's files; its quality metrics were logged when the version was made."""
    difference = {} if report.comparison is None else estimate_values("difference", report.comparison.difference)
    alias = f" ({', '.join(report.aliases)})" if report.aliases else ""
    return RunPlan(
        name=f"{report.model} v{report.version}",
        note=f"**{report.model} version {report.version}{alias}**. {report.promotion.reason}",
        metrics=points({**difference, "promoted": float(report.promotion.yes)}),
        tags={"tailtune.promotion": report.promotion.reason[:5000]},
        splits=("test",),
    )
