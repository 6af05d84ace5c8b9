"""`tailtune show` and `list`: what the reports say."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.core.reports import REPORTS, DecideReport, RegisterReport, Report
from tailtune.services import store
from tailtune.services.tracking.home import shown
from tailtune.spec.paths import Paths
from tailtune.spec.settings import Settings


def read_reports(paths: Paths, use_case: str) -> dict[str, Report]:
    """Stage → report, of the stages that have one, in order."""
    case = paths.case(use_case)
    return {
        stage: store.read_report(case.report(stage), kind, use_case)
        for stage, kind in REPORTS.items()
        if case.report(stage).is_file()
    }


def print_summary(paths: Paths, use_case: str, stopped: bool = False) -> None:
    """Print the summary with the commands that lead further."""
    from rich.console import Console

    from tailtune.report.summary import Links, summary

    case, reports = paths.case(use_case), read_reports(paths, use_case)
    if not reports:
        print(f"{use_case}: nothing has run yet\nNext:  tailtune run {use_case}")
        return
    registered = reports.get("register")
    done = isinstance(registered, RegisterReport) and not stopped
    links = Links(
        page=paths.shown(case.page) if done and case.page.is_file() else "",
        ui="make ui",
        show=f"tailtune show {use_case}",
        serve=_serve(paths, registered) if done and isinstance(registered, RegisterReport) else "",
        docs=paths.shown(case.docs / "index.html") if (case.docs / "index.html").is_file() else "",
        dropped=paths.shown(case.dropped) if case.dropped.is_file() else "",
        failures=paths.shown(case.stage("evaluate") / "failures.jsonl") if done else "",
        again="" if done else f"tailtune run {use_case}",
    )
    Console().print(summary(reports, links))


def _serve(paths: Paths, registered: RegisterReport) -> str:
    alias = "champion" if "champion" in registered.aliases else registered.version
    joint = "@" if alias == "champion" else "/"
    given = Settings().tracking_uri
    uri = shown(given) if given else f"sqlite:///{paths.shown(paths.mlflow_store / 'mlflow.db')}"
    model = f"models:/{registered.model}{joint}{alias}"
    return f"MLFLOW_TRACKING_URI={uri} mlflow models serve -m {model} --env-manager local"


def overview(paths: Paths) -> Iterator[str]:
    """One line per use case."""
    for name in paths.use_cases():
        reports = read_reports(paths, name)
        decided, registered = reports.get("decide"), reports.get("register")
        verdict = decided.verdict if isinstance(decided, DecideReport) else "not run yet"
        version = f"version {registered.version}" if isinstance(registered, RegisterReport) else ""
        yield f"{name:30} {verdict:12} {version}".rstrip()
