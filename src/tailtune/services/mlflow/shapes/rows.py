"""Curation and validation as runs."""

from __future__ import annotations

from tailtune.config.model import Declared
from tailtune.core.reports import CurateReport, ValidateReport
from tailtune.core.run_plan import RunPlan, Table, columns, points
from tailtune.services.mlflow.shapes.columns import section


def curate(report: CurateReport, case: Declared) -> RunPlan:
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
        params=section(case, "curate") | section(case, "split"),
        metrics=points(values),
        splits=("train", "dev", "test"),
        tables={
            "dropped.json": dropped,
            "dropped_examples.json": columns(report.dropped_examples),
            "labels.json": labels,
        },
    )


def validate(report: ValidateReport, case: Declared) -> RunPlan:
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
        params=section(case, "validate"),
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
        status="FINISHED" if report.passed else "FAILED",
    )
