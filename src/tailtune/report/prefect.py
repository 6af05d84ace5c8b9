"""What Prefect shows of a report: its section as text, its tables, and links to what can be opened next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.monitored import MonitorReport
from tailtune.core.records import Estimate
from tailtune.core.reports import RegisterReport, Report, ValidateReport
from tailtune.core.run_plan import Table
from tailtune.core.secrets import without_password
from tailtune.report import monitor_runs, monitoring, sections, tables
from tailtune.report.numbers import NOT_MEASURED, duration, memory, ms, plain, points_with_interval, usd, with_interval


def key(*parts: str) -> str:
    """An artifact key, as Prefect allows it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def publish(paths: Paths, report: Report, settings: Settings) -> None:
    """Make the artifacts of one stage report; needs a flow or task run around it."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

    base = (report.use_case, report.stage)
    create_markdown_artifact(text(report), key=key(*base), description=f"{report.stage} of {report.use_case}")
    for name, table in tables.of_report(report).items():
        create_table_artifact(rows(table), key=key(*base, name), description=f"{name} of {report.use_case}")
    for name, link in links(paths, report, settings).items():
        create_link_artifact(link, link_text=name, key=key(*base, name), description=f"{name} of {report.use_case}")


def publish_look(report: MonitorReport) -> None:
    """Make the artifacts of a look of the monitor; needs a flow or task run around it."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    base = (report.use_case, "monitor")
    about = f"{report.use_case} v{report.version}, {monitoring.period(report)}"
    create_markdown_artifact(monitor_runs.markdown(report), key=key(*base), description=f"what moved: {about}")
    for name, table in (("moved", monitor_runs.findings(report)), ("words", monitor_runs.words(report))):
        if any(table.values()):
            create_table_artifact(rows(table), key=key(*base, name), description=f"{name}: {about}")


def publish_retrain(use_case: str, lines: Sequence[str]) -> None:
    """Make the artifact of a retrain, or of the reason why none started; needs a flow or task run around it."""
    from prefect.artifacts import create_markdown_artifact

    content = "\n".join(["```", *(line.replace("`", "'") for line in lines), "```", ""])
    create_markdown_artifact(content, key=key(use_case, "retrain"), description=f"retrain of {use_case}")


def text(report: Report) -> str:
    """The report's section and what the stage cost, as Markdown."""
    lines = [f"## {report.stage} of {report.use_case}", sections.of_report(report).markdown()]
    if report.cost is not None:
        price = "" if report.cost.usd is None else f", {usd(report.cost.usd)}"
        if report.cost.bought_usd != 0:
            price += f", answers bought {usd(report.cost.bought_usd)}"
        lines.append(f"{duration(report.cost.wall_s)}, {memory(report.cost.peak_memory_mb)}{price}")
    return "\n\n".join(lines) + "\n"


def rows(table: Table) -> list[dict[str, object]]:
    """A table row by row, figures as people read them; one with both ends of its interval is one cell."""
    ends = {name for name in table if {f"{name}_low", f"{name}_high"} <= table.keys()}
    hidden = {f"{name}_{end}" for name in ends for end in ("low", "high")}
    return [
        {
            name: _interval(name, row) if name in ends else _cell(name, value)
            for name, value in row.items()
            if name not in hidden
        }
        for row in (dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True))
    ]


def _interval(name: str, row: Mapping[str, Any]) -> str:
    if row[name] is None:
        return NOT_MEASURED
    estimate = Estimate(value=row[name], low=row[f"{name}_low"], high=row[f"{name}_high"], rows=0)
    return points_with_interval(estimate) if name == "difference" else with_interval(estimate)


def _cell(name: str, value: object) -> object:
    if "usd" in name and (value is None or isinstance(value, float)):
        return usd(value)
    if isinstance(value, float):
        return ms(value) if name.endswith("_ms") else plain(value)
    return value


def links(paths: Paths, report: Report, settings: Settings) -> dict[str, str]:
    """Name → address of what can be opened next."""
    found: dict[str, str] = {}
    if isinstance(report, ValidateReport):
        found["data docs"] = _file(paths, report.docs)
    if isinstance(report, RegisterReport):
        found["decision page"] = _file(paths, report.page)
    if (uri := settings.tracking_uri or "").startswith("http"):
        found["mlflow"] = without_password(uri)
    return {name: link for name, link in found.items() if link}


def _file(paths: Paths, relative: str) -> str:
    path = paths.root / Path(relative)
    return path.as_uri() if relative and path.is_file() else ""
