"""The decision as a run."""

from __future__ import annotations

from tailtune.config.model import Declared
from tailtune.core.reports import DecideReport
from tailtune.core.run_plan import RunPlan, columns, points
from tailtune.services.mlflow.shapes.columns import economy, section


def decide(report: DecideReport, case: Declared) -> RunPlan:
    """The verdict before training money is spent, with the five questions."""
    provisional = " (provisional)" if report.provisional else ""
    lines = [f"- {question.question} **{question.answer}**: {question.evidence}" for question in report.questions]
    change = [f"- {line}" for line in report.would_change]
    parts = [f"**Verdict: {report.verdict}{provisional}.** {report.reason}", "\n".join(lines)]
    parts += ["What would change it:\n" + "\n".join(change)] if change else []
    return RunPlan(
        name=f"decide: {report.verdict}",
        note="\n\n".join(part for part in parts if part),
        params=section(case, "targets") | {"best_rung": report.best_rung, "may_train": str(report.train.yes).lower()},
        metrics=points(
            {
                f"target_{report.metric}": report.target,
                "estimated_train_usd": report.estimated_train_usd,
                "unmeasured": len(report.unmeasured),
                **economy(report.economics),
                **{f"evidence/{name}": value for q in report.questions for name, value in q.figures.items()},
            }
        ),
        tags={"tailtune.verdict": report.verdict, "tailtune.provisional": str(report.provisional).lower()},
        tables={"questions.json": columns(report.questions)},
    )
