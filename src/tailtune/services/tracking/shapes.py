"""From a stage's report to the run it becomes. Pure; quality has the same metric names in every run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tailtune.core.measures import MEASURES
from tailtune.core.records import Split
from tailtune.core.reports import (
    CandidateResult,
    CurateReport,
    DecideReport,
    EvaluateReport,
    LadderReport,
    RegisterReport,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
)
from tailtune.report import figures
from tailtune.services.tracking.plan import (
    RunPlan,
    Table,
    columns,
    estimate_values,
    latency_values,
    points,
)
from tailtune.spec.load import UseCase

TRAIN_DEV: tuple[Split, ...] = ("train", "dev")


def plan(report: Report, case: UseCase) -> RunPlan:
    """The run a report becomes.

    Raises:
        TypeError: A kind of report without a shape here.
    """
    return _SHAPES[type(report)](report, case)


def quality(result: RungResult | CandidateResult) -> dict[str, float | None]:
    """The columns every scored predictor shares."""
    return {
        **{name: v for metric, found in result.metrics.items() for name, v in estimate_values(metric, found).items()},
        **latency_values(result.latency),
        "usd_per_1000": result.usd_per_1000,
        "invalid_rows": result.invalid_rows,
    }


def curate(report: CurateReport, case: UseCase) -> RunPlan:
    """Rows in, rows out, and why the others went."""
    values: dict[str, float | None] = {"rows_read": report.rows_read, "rows_kept": report.rows_kept}
    values |= {f"rows_{split}": rows for split, rows in report.splits.items()}
    values |= {f"dropped/{reason}": rows for reason, rows in report.dropped.items()}
    values |= {f"changed/{what}": rows for what, rows in report.changed.items()}
    dropped: Table = {"reason": list(report.dropped), "rows": list(report.dropped.values())}
    labels: Table = {"label": list(report.labels), "rows": list(report.labels.values())}
    values |= {f"unaligned/{field}": rows for field, rows in report.unaligned.items()}
    return RunPlan(
        name="curate",
        note=f"{report.rows_kept:,} of {report.rows_read:,} rows kept. Why the others were dropped: `dropped.json`.",
        params=_section(case, "curate") | _section(case, "split"),
        metrics=points(values),
        splits=("train", "dev", "test"),
        tables={
            "dropped.json": dropped,
            "dropped_examples.json": columns(report.dropped_examples),
            "labels.json": labels,
        },
    )


def validate(report: ValidateReport, case: UseCase) -> RunPlan:
    """The suite's results; a failing gate is a failed run."""
    failed = [result for result in report.expectations if not result.passed]
    lines = [f"- **{result.meaning}** {result.observed}".rstrip() for result in failed]
    verdict = "Passed." if report.passed else "**Failed.** Nothing downstream runs."
    table = columns(report.expectations)
    if table:
        table["bad_origins"] = [", ".join(result.bad_origins) for result in report.expectations]
    return RunPlan(
        name="validate",
        note="\n".join([verdict, *lines]),
        params=_section(case, "validate"),
        metrics=points(
            {
                "rows_read": report.rows_read,
                "expectations": len(report.expectations),
                "expectations_failed": len(failed),
                "bad_rows": sum(result.bad_rows for result in report.expectations),
            }
        ),
        tags={"tailtune.passed": str(report.passed).lower()},
        splits=("train", "dev", "test"),
        tables={"expectations.json": table},
        failed=not report.passed,
    )


def ladder(report: LadderReport, case: UseCase) -> RunPlan:
    """A parent with one child per rung, and the learning curve by number of train rows."""
    measure = report.rungs[0].metric
    curve_rung = next((rung.title for rung in report.rungs if rung.name == report.curve_rung), report.curve_rung)
    curve = tuple(
        point for at in report.curve for point in points(estimate_values(f"curve_{measure}", at.quality), step=at.rows)
    )
    best = max(report.rungs, key=lambda rung: rung.quality.value)
    note = (
        f"{len(report.rungs)} rungs on the same {report.dev_rows:,} dev rows; "
        f"best is **{best.title}** with {MEASURES[measure].title} {best.quality.value:.3f} "
        f"({best.quality.low:.3f} to {best.quality.high:.3f}). "
        "Open the nested runs, select some and press Compare."
    )
    if report.unmeasured:
        note += "\n\nNot measured:\n" + "\n".join(f"- {line}" for line in report.unmeasured)
    return RunPlan(
        name="ladder",
        note=note,
        params=_section(case, "ladder") | {"split": "dev", "best_rung": best.name},
        metrics=points(
            {
                "train_rows": report.train_rows,
                "dev_rows": report.dev_rows,
                "fit_rows_capped": report.fit_rows_capped,
                "encode_rows_per_s": report.encode_rows_per_s,
            }
        )
        + curve,
        splits=TRAIN_DEV,
        figures={
            "figures/quality.png": partial(figures.quality, report.rungs, "dev", case.spec.targets.quality),
            "figures/learning_curve.png": partial(figures.learning_curve, report.curve, curve_rung, measure),
            "figures/latency_quality.png": partial(figures.latency_quality, report.rungs, "dev"),
        },
        children=tuple(_rung(rung) for rung in report.rungs),
    )


def _rung(rung: RungResult) -> RunPlan:
    return RunPlan(
        name=rung.title,
        params={"split": "dev", "rung": rung.name, "fit_rows": str(rung.fit_rows)},
        metrics=points({**quality(rung), "fit_s": rung.fit_s}),
        splits=TRAIN_DEV,
    )


def decide(report: DecideReport, case: UseCase) -> RunPlan:
    """The verdict before training money is spent, with the five questions."""
    provisional = " (provisional)" if report.provisional else ""
    lines = [f"- {question.question} **{question.answer}**: {question.evidence}" for question in report.questions]
    change = [f"- {line}" for line in report.would_change]
    parts = [f"**Verdict: {report.verdict}{provisional}.** {report.reason}", "\n".join(lines)]
    parts += ["What would change it:\n" + "\n".join(change)] if change else []
    return RunPlan(
        name=f"decide: {report.verdict}",
        note="\n\n".join(part for part in parts if part),
        params=_section(case, "targets") | {"best_rung": report.best_rung, "may_train": str(report.train.yes).lower()},
        metrics=points(
            {
                f"target_{report.metric}": report.target,
                "estimated_train_usd": report.estimated_train_usd,
                "unmeasured": len(report.unmeasured),
            }
        ),
        tags={"tailtune.verdict": report.verdict, "tailtune.provisional": str(report.provisional).lower()},
        tables={"questions.json": columns(report.questions)},
    )


def train(report: TrainReport, case: UseCase) -> RunPlan:
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
        params=_section(case, "train", prefix="")
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


def evaluate(report: EvaluateReport, case: UseCase) -> RunPlan:
    """A parent with the comparison, and one child per candidate on test."""
    paired: dict[str, float | None] = {}
    if report.comparison is not None:
        paired = {
            **estimate_values("difference", report.comparison.difference),
            "mcnemar_p": report.comparison.mcnemar_p,
            "only_first_right": report.comparison.only_first_right,
            "only_second_right": report.comparison.only_second_right,
        }
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
    return RunPlan(
        name="evaluate",
        note=f"{report.test_rows:,} test rows, opened once. Winner: **{report.winner}**. {report.winner_reason}",
        params=_section(case, "evaluate") | {"split": "test", "winner": report.winner},
        metrics=points({"test_rows": report.test_rows, "failures": report.failures, **paired}),
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


def register(report: RegisterReport, case: UseCase) -> RunPlan:
    """The run that holds the model's files; its quality metrics were logged when the version was made."""
    paired = {} if report.comparison is None else estimate_values("difference", report.comparison.difference)
    alias = f" ({', '.join(report.aliases)})" if report.aliases else ""
    return RunPlan(
        name=f"{report.model} v{report.version}",
        note=f"**{report.model} version {report.version}{alias}**. {report.promotion.reason}",
        metrics=points({**paired, "promoted": float(report.promotion.yes)}),
        tags={"tailtune.promotion": report.promotion.reason[:5000]},
        splits=("test",),
    )


def _section(case: UseCase, section: str, prefix: str | None = None) -> dict[str, str]:
    lead = f"{section}." if prefix is None else prefix
    return {
        f"{lead}{key}": ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in case.spec.section(section).items()
        if value is not None
    }


_SHAPES: dict[type[Report], Callable[[Any, UseCase], RunPlan]] = {
    CurateReport: curate,
    ValidateReport: validate,
    LadderReport: ladder,
    DecideReport: decide,
    TrainReport: train,
    EvaluateReport: evaluate,
    RegisterReport: register,
}
