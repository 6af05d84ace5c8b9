"""What Prefect shows of a report: its section as text, its tables, and links to what can be opened next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tailtune.config.paths import Paths
from tailtune.core.monitored import MonitorReport
from tailtune.core.records import Estimate
from tailtune.core.reports import RegisterReport, Report, ValidateReport
from tailtune.core.run_plan import Table
from tailtune.report import monitor_runs, monitoring, sections, tables
from tailtune.report.markdown import literal
from tailtune.report.numbers import NOT_MEASURED, duration, memory, ms, plain, points_with_interval, usd, with_interval
from tailtune.report.story import Story
from tailtune.report.verdict import figures, headline


def key(*parts: str) -> str:
    """An artifact key, as Prefect allows it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def publish(paths: Paths, report: Report, links: Mapping[str, str]) -> None:
    """Make the artifacts of one stage report; needs a flow or task run around it.

    Args:
        paths: The checkout.
        report: Of the stage.
        links: Name → address of what a browser can open.
    """
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

    base = (report.use_case, report.stage)
    content = text(report, files(paths, report))
    create_markdown_artifact(content, key=key(*base), description=f"{report.stage} of {report.use_case}")
    for name, table in tables.of_report(report).items():
        create_table_artifact(rows(table), key=key(*base, name), description=f"{name} of {report.use_case}")
    for name, link in links.items():
        create_link_artifact(link, link_text=name, key=key(*base, name), description=f"{name} of {report.use_case}")


def publish_verdict(paths: Paths, story: Story, links: Mapping[str, str]) -> None:
    """Make the artifact that says what a life came to; needs the flow run of that life around it.

    Args:
        paths: The checkout.
        story: Of the use case.
        links: Name → address of what a browser can open.
    """
    from prefect.artifacts import create_markdown_artifact

    content = verdict_text(story, links, [file for report in story.reports for file in files(paths, report)])
    about = f"verdict on {story.use_case}: {headline(story).title}"
    create_markdown_artifact(content, key=key(story.use_case, "verdict"), description=about)


def verdict_text(story: Story, links: Mapping[str, str], more: Sequence[str]) -> str:
    """What to do and why, the figures, which version there is, and where to look, as Markdown."""
    top = headline(story)
    lines = [f"## {literal(top.title)}", literal(top.why)]
    if shown := figures(story):
        cells = [(name, value, beside) for name, value, beside in shown]
        lines.append("\n".join(["| figure | value | |", "| --- | --- | --- |", *(_row(row) for row in cells)]))
    if (section := sections.registered(story)) is not None:
        lines += ["### Registered", section.markdown()]
    places = [*(f"[{name}]({link})" for name, link in links.items()), *more]
    if places:
        lines.append("\n".join(f"- {place}" for place in places))
    return "\n\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(literal(cell).replace('|', '/') for cell in cells)} |"


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


def text(report: Report, more: Sequence[str] = ()) -> str:
    """The report's section, what the stage cost, and further lines, as Markdown."""
    lines = [f"## {report.stage} of {report.use_case}", sections.of_report(report).markdown()]
    if report.cost is not None:
        price = "" if report.cost.usd is None else f", {usd(report.cost.usd)}"
        if report.cost.bought_usd != 0:
            price += f", answers bought {usd(report.cost.bought_usd)}"
        lines.append(f"{duration(report.cost.wall_s)}, {memory(report.cost.peak_memory_mb)}{price}")
    lines += more
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


def files(paths: Paths, report: Report) -> list[str]:
    """Pages that stages have written, as paths in the checkout: a browser on another machine has no such file."""
    found: dict[str, str] = {}
    if isinstance(report, ValidateReport):
        found["What was validated"] = report.docs
    if isinstance(report, RegisterReport):
        found["Decision page"] = report.page
    return [
        f"{name}, where it ran: `{paths.root / file}`"
        for name, file in found.items()
        if file and (paths.root / file).is_file()
    ]
