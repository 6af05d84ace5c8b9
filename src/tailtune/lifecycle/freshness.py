"""Whether a stage has anything to do: what DVC sees, and what it cannot see."""

from __future__ import annotations

from collections.abc import Sequence

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import MissingInputError
from tailtune.core.reports import PromptReport, RegisterReport
from tailtune.lifecycle.table import Stage
from tailtune.predictors.prompted import embedded
from tailtune.report.terminal.console import PrintableConsole
from tailtune.services import store, versions
from tailtune.services.mlflow.presence import is_registered
from tailtune.tasks import saved
from tailtune.tasks.use_case import load_use_case


def hidden_change(paths: Paths, stage: str, use_case: str) -> str:
    """Why a stage must run although DVC calls it fresh, as a line for people; empty when nothing demands it."""
    if stage == "register" and is_lost(paths, use_case):
        return "the version it reported is not in this tracking store, or not whole: registering again"
    if stage == "prompt" and has_other_weights(paths, use_case):
        return "the weights of a local model have changed: measuring again"
    if stage == "prompt" and has_other_models(paths, use_case):
        return "a language model is there that was not when prompts were measured: measuring again"
    if stage == "decide" and names_a_line(paths, use_case):
        return "it named a candidate that ignores the text: deciding again"
    return ""


def stale(paths: Paths, use_case: str, stages: Sequence[Stage]) -> list[Stage]:
    """The first of some stages that has something to do, and all after it: they will have, most likely.

    Args:
        paths: The checkout.
        use_case: Whose stages.
        stages: In order.
    """
    changed = versions.is_stale(paths, use_case)
    for place, stage in enumerate(stages):
        if stage.name in changed or hidden_change(paths, stage.name, use_case):
            return list(stages[place:])
    return []


def is_lost(paths: Paths, use_case: str) -> bool:
    """Whether the reported version is not in the tracking store of now: another store, a new clone, a deleted one."""
    path = paths.case(use_case).report("register")
    if not path.is_file():
        return False
    try:
        report = store.read_report(path, RegisterReport, use_case)
    except MissingInputError:  # torn, or of another version: the stage writes it again
        return True
    uri = Settings().resolved_tracking_uri(paths)
    return not is_registered(uri, report.model, report.version, report.run_id)


def has_other_weights(paths: Paths, use_case: str) -> bool:
    """Whether prompts were measured with other weights of a local model than are there now."""
    report = _prompts(paths, use_case)
    if report is None:
        return False
    declared = load_use_case(paths, use_case).spec.prompt
    return bool(embedded.changed(declared, Settings().weights_root(paths), report.weights))


def has_other_models(paths: Paths, use_case: str) -> bool:
    """Whether prompts were measured without a model that is declared by default, or installed, by now."""
    report = _prompts(paths, use_case)
    if report is None:
        return False
    declared = load_use_case(paths, use_case).spec.prompt.models
    there = [model for model in declared if not embedded.lacking(model)]
    return bool({model.name for model in there} - (report.models.keys() - set(report.missing)))


def _prompts(paths: Paths, use_case: str) -> PromptReport | None:
    """The report of the prompts; None where there is none, or one of another version: DVC says whether it is stale."""
    path = paths.case(use_case).report("prompt")
    try:
        return store.read_report(path, PromptReport, use_case) if path.is_file() else None
    except MissingInputError:
        return None


def names_a_line(paths: Paths, use_case: str) -> bool:
    """Whether the ticket, as an earlier version may have written it, names what ignores the text as a candidate."""
    ticket = paths.case(use_case).stage("decide") / "ticket.json"
    if not ticket.is_file():
        return False
    try:
        best = store.read_json(ticket, "decide", f"tailtune run {use_case}").get("best_rung")
    except MissingInputError:  # torn: DVC sees that, and the stage writes it again
        return False
    return best is not None and saved.ignores_text(best)


def say_fresh(stage: str) -> None:
    """The line of a stage that need not run; one that runs speaks for itself."""
    say(stage, "fresh: nothing it reads has changed")


def say(what: str, text: str) -> None:
    """One line about a stage, on stderr."""
    PrintableConsole(stderr=True).print(f"[green]✓[/] [bold]{what}[/]  [dim]{text}[/]", highlight=False, soft_wrap=True)
