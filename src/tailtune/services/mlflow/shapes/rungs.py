"""The ladder as a run with one child per rung."""

from __future__ import annotations

from functools import partial

from tailtune.config.model import Declared
from tailtune.core.measures import MEASURES
from tailtune.core.reports import LadderReport, RungResult
from tailtune.core.run_plan import RunPlan, estimate_values, points
from tailtune.report import figures
from tailtune.services.mlflow.shapes.columns import TRAIN_DEV, quality, section


def ladder(report: LadderReport, case: Declared) -> RunPlan:
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
        params=section(case, "ladder") | {"split": "dev", "best_rung": best.name},
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
