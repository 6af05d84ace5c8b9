"""An audit in words, and as a run of MLflow."""

from __future__ import annotations

from tailtune.core.audits import Audit, AuditResult
from tailtune.core.days import span
from tailtune.core.run_plan import RunPlan, estimate_values, points
from tailtune.judge.audit import in_words
from tailtune.report.numbers import counted, share, with_interval


def window(audit: Audit) -> str:
    """`2026-11-01..2026-11-07`; `2026-11-07 so far` where that day was not over."""
    return span(audit.first_day, audit.last_day) + ("" if audit.is_over else " so far")


def drawn(audit: Audit) -> list[str]:
    """What was drawn, a line each."""
    answered = f"that v{audit.version} answered {window(audit)}"
    some = f"{counted(len(audit.rows), 'row')} of {audit.window_rows:,} {answered}"
    is_all = len(audit.rows) == audit.window_rows
    lines = [f"all {some}: there are no more" if is_all else f"{some}, drawn at random within ranges of confidence"]
    if not audit.is_over:
        lines.append(
            "that day is not over: a later audit of it, or of the whole day, draws from the rows that are left"
        )
    if audit.drawn_before:
        lines.append(f"{counted(audit.drawn_before, 'row')} drawn while the day went on left out: none is drawn twice")
    if audit.without_text:
        lines.append(f"{counted(audit.without_text, 'row')} could not be drawn: their texts were not kept")
    if audit.other_rows:
        others = counted(audit.other_rows, "row of that window was", "rows of that window were")
        lines.append(f"{others} answered by another version, or by none")
    return lines


def lines_of(audit: Audit, result: AuditResult) -> list[str]:
    """What the labels say, a sentence each: the estimate, the decision, and what more rows would see."""
    missing = len(audit.rows) - result.labelled
    still = f", {counted(missing, 'row')} not yet" if missing else ""
    lines = [
        f"v{audit.version} was right on {with_interval(result.accuracy)} of the rows of {window(audit)}, by "
        f"{counted(result.labelled, 'labelled row')}{still}"
    ]
    if result.fall is None:
        lines.append("whether it fell cannot be said: the version's own accuracy is not known")
    else:
        lines += [result.fall.decision.reason, *in_words(result.fall, result.labelled)]
    if result.audits > 1:
        lines.append(
            f"over all {result.audits} audits of v{audit.version}: {with_interval(result.over_time)}, an interval that "
            "holds at every audit at once"
        )
    return lines


def note(audit: Audit, result: AuditResult) -> str:
    """An audit beside other ways of knowing how often the model is right, as part of a sentence."""
    fell = result.fall is not None and result.fall.decision.yes
    return (
        f"{counted(result.labelled, 'row')} of {window(audit)}, drawn at random and labelled by people; it sees what "
        f"probabilities cannot{', and accuracy fell' if fell else ''}"
    )


def plan_of(audit: Audit, result: AuditResult) -> RunPlan:
    """The run of an audit; no text of a row stands in it."""
    values: dict[str, float | None] = {
        "labelled_rows": result.labelled,
        "window_rows": audit.window_rows,
        **estimate_values("accuracy_audit", result.accuracy),
        **estimate_values("accuracy_over_time", result.over_time),
        **({} if result.own is None else estimate_values("accuracy_own", result.own)),
    }
    table: dict[str, list[object]] = {"id": [], "stratum": [], "weight": [], "confidence": [], "score": []}
    for row in audit.rows:
        if row.id in result.scores:
            for name in ("id", "stratum", "weight", "confidence"):
                table[name].append(getattr(row, name))
            table["score"].append(result.scores[row.id])
    fell = "not known" if result.fall is None else str(result.fall.decision.yes).lower()
    if result.fall is not None:
        values["fall_p"] = result.fall.p
    return RunPlan(
        name=f"audit: v{audit.version} {window(audit)}",
        note="\n".join(f"- {line}" for line in lines_of(audit, result)) + "\n",
        params={"version": audit.version, "window": window(audit), "audit": audit.id},
        metrics=points(values),
        tags={"tailtune.accuracy_fell": fell, "tailtune.audited": share(result.labelled / len(audit.rows))},
        tables={"rows.json": table},
    )
