"""`tailtune show` and `list`: what the reports say."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import MissingInputError
from tailtune.core.reports import RegisterReport
from tailtune.core.secrets import without_password
from tailtune.services import store


def print_summary(paths: Paths, use_case: str, stopped: bool = False) -> None:
    """Print the summary with the commands that lead further.

    Args:
        paths: The checkout.
        use_case: Its name.
        stopped: Whether a run has just ended badly; then nothing of an earlier run is shown as the present verdict.
    """
    from tailtune.report.story import Story
    from tailtune.report.terminal.console import PrintableConsole
    from tailtune.report.terminal.summary import Links, summary

    case = paths.case(use_case)
    reports = store.read_reports(case)
    if not reports:
        state = "stopped before a stage was done" if stopped else "nothing has run yet"
        print(f"{use_case}: {state}\nNext:  tailtune run {use_case}")
        return
    story = Story.of(reports, stopped)
    registered = None if stopped else story.register
    links = Links(
        page=paths.shown(case.page) if registered and case.page.is_file() else "",
        ui="make ui",
        show=f"tailtune show {use_case}",
        serve=_serve(paths, use_case, registered) if registered else "",
        docs=paths.shown(case.docs / "index.html") if (case.docs / "index.html").is_file() else "",
        dropped=paths.shown(case.dropped) if case.dropped.is_file() else "",
        failures=paths.shown(case.stage("evaluate") / "failures.jsonl") if registered else "",
        again="" if registered else f"tailtune run {use_case}",
    )
    PrintableConsole().print(summary(reports, links, stopped))


def _serve(paths: Paths, use_case: str, registered: RegisterReport) -> str:
    """The champion is served by us; another version is to be looked at, which MLflow does without moving an alias."""
    if "champion" in registered.aliases:
        return f"tailtune serve {use_case}"
    given = Settings().tracking_uri
    uri = without_password(given) if given else f"sqlite:///{paths.shown(paths.mlflow_store / 'mlflow.db')}"
    model = f"models:/{registered.model}/{registered.version}"
    return f"MLFLOW_TRACKING_URI={uri} mlflow models serve -m {model} --env-manager local"


def overview(paths: Paths) -> Iterator[str]:
    """One line per use case; what is of an earlier run than the last is no verdict."""
    from tailtune.report.story import Story

    for name in paths.use_cases():
        try:
            story = Story.of(store.read_reports(paths.case(name)))
        except MissingInputError as error:  # torn, or of another version; the others are listed all the same
            yield f"{name:30} not known: {error.message}"
            continue
        done, current, registered = bool(story.reports), story.verdict, story.register
        if story.failed:
            state = "closed at validate"
        elif story.left_out:
            state = f"{story.due} is next"
        else:
            state = current.verdict if current else "no decision" if done else "not run yet"
        version = f"version {registered.version}" if registered else ""
        yield f"{name:30} {state:12} {version}".rstrip()
