"""A look of the monitor as a run of MLflow, and as artifacts of Prefect."""

from __future__ import annotations

from collections.abc import Mapping

from tailtune.core.monitored import MonitorReport, WatchedDay
from tailtune.core.run_plan import RunPlan, Table, cost_points, cost_tags, estimate_values, points
from tailtune.report import monitoring
from tailtune.report.markdown import literal

PAGE = "monitor.html"
MOST_EVIDENCE = 10.0
"""What is drawn of evidence at most; 1 is an alarm."""


def plan_of(report: MonitorReport, page: str) -> RunPlan:
    """The run of a look.

    Args:
        report: The look.
        page: Its page, HTML.
    """
    head = monitoring.headline(report)
    values: dict[str, float | None] = {
        "drift_evidence": _drawn(report.evidence),
        "rows": report.rows,
        "rows_read": report.rows_read,
        "rows_not_logged": report.not_logged,
    }
    for each in report.now:
        if each.accuracy is not None:
            values |= estimate_values(f"accuracy_{each.by.replace(' ', '_')}", each.accuracy)
    return RunPlan(
        name=f"monitor: v{report.version} {monitoring.window(report)}{'' if report.is_over else ' so far'}",
        note=markdown(report),
        params={"version": report.version, "window": monitoring.window(report), "source": report.source},
        metrics=points(values) + cost_points(report.cost),
        tags={
            "tailtune.drift": head.title,
            "tailtune.model_version": f"{report.model} v{report.version}",
            **cost_tags(report.cost),
        },
        tables={"moved.json": findings(report), "words.json": words(report)},
        texts={PAGE: page, "monitor.json": report.model_dump_json(indent=2)},
    )


def day_values(day: WatchedDay) -> Mapping[str, float | None]:
    """What a chart over weeks shows of a day."""
    figures = day.figures
    return {
        "drift_evidence": _drawn(day.evidence),
        "rows": figures.rows,
        "unanswered": figures.unanswered,
        "latency_p50_ms": figures.p50_ms,
        "latency_p99_ms": figures.p99_ms,
        "answers_usd": None if figures.unpriced else figures.usd,
        **({} if figures.accuracy is None else estimate_values("accuracy_no_labels", figures.accuracy)),
    }


def _drawn(evidence: float | None) -> float | None:
    """Evidence for charts: beyond ten alarms one looks like the other, and all other days would be a flat line."""
    return None if evidence is None else min(evidence, MOST_EVIDENCE)


def findings(report: MonitorReport) -> Table:
    """What was compared, the most telling first."""
    return {
        "rows": [monitoring.what(each) for each in report.findings],
        "before": [each.reference.value for each in report.findings],
        "now": [each.window.value for each in report.findings],
        "difference": [each.difference.value for each in report.findings],
        "difference_low": [each.difference.low for each in report.findings],
        "difference_high": [each.difference.high for each in report.findings],
        "p": [each.p for each in report.findings],
        "evidence": [each.evidence for each in report.findings],
    }


def words(report: MonitorReport) -> Table:
    """Words that became more or less frequent."""
    return {
        "word": [each.word for each in report.words],
        "before": [each.before for each in report.words],
        "now": [each.now for each in report.words],
    }


def markdown(report: MonitorReport) -> str:
    """A look in Markdown: what an on-call engineer has to know, and what cannot be seen."""
    head = monitoring.headline(report)
    parts = [f"## {literal(head.title)}", literal(head.why)]
    parts += [f"- {literal(line)}" for line in monitoring.moved(report)]
    parts += ["", f"Then: {literal(monitoring.measured_then(report))}. Now:"]
    parts += [f"- {literal(monitoring.accuracy(each))}" for each in report.now]
    parts += ["", "What this look cannot see:", *(f"- {literal(line)}" for line in monitoring.not_seen(report))]
    return "\n".join(parts) + "\n"
