"""Register the winner as a version; the gate decides who is champion. Run again after a kill, it finishes its work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tailtune.config.endpoints import also_listed
from tailtune.config.prices import list_usd
from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.figures import memory, with_interval
from tailtune.core.measures import MEASURES
from tailtune.core.records import Row
from tailtune.core.reports import CandidateResult, EvaluateReport, PromptReport, RegisterReport
from tailtune.core.run_plan import scored_values
from tailtune.lifecycle import reference
from tailtune.lifecycle.bundle import Bought, needs
from tailtune.lifecycle.candidates import served_folder_of
from tailtune.lifecycle.carried_code import copy_code
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models
from tailtune.lifecycle.register.gate import settle
from tailtune.lifecycle.register.identity import key_of, model_files, tags_of, winner_of
from tailtune.predictors.prompted.opening import model_of, pack
from tailtune.predictors.prompted.weights import bytes_of
from tailtune.services.mlflow import prompts, registry
from tailtune.services.mlflow.presence import is_registered
from tailtune.services.mlflow.registry import CHAMPION, Stored, Version
from tailtune.tasks import saved


def run(context: Context) -> RegisterReport:
    """Register the evaluation's winner, compare it with the champion, and set aliases.

    Equal rows, winner and files are one version: then its tags and reports are updated, and no second one is made.

    Raises:
        MissingInputError: Evaluation has not run, or the winner's files are gone.
        ServiceError: The tracking store failed, or the winner does not answer from its files.
    """
    case, inputs = context.case, context.inputs
    evaluated, test = inputs.report(EvaluateReport), inputs.rows("test")
    folder = served_folder_of(context, evaluated.winner)
    model = case.model
    prompted = evaluated.winner in PROMPT_RUNGS
    local_model = model_of(folder, context.settings.weights_root(context.project)) if prompted else None
    key = key_of(evaluated, test, folder, local_model)

    version = registry.find(context.tracker, model, key)
    fresh = version is None
    if version is None:
        context.progress.at(0, 3, f"registering {saved.title(evaluated.winner)} as {model}")
        with also_listed(case.spec.prompt.models), _with_model(context, folder, local_model) as whole:
            version = _register(context, model, key, evaluated, whole, test)
    else:
        if not is_registered(context.tracker.uri, model, version.version, version.run_id):
            context.progress.say(f"{version.uri}: its files are missing or damaged in the store: storing them again")
            with (
                also_listed(case.spec.prompt.models),
                _with_model(context, folder, local_model) as whole,
                _stored(context, winner_of(evaluated), whole, _example(test)) as stored,
            ):
                registry.restore(context.tracker, version, stored)
        registry.tag(context.tracker, version, tags_of(context, evaluated, test))
    context.progress.at(1, 3, "answering held-out rows, for the monitor to compare with")
    _keep_reference(context, version, folder, test)
    context.progress.at(2, 3, "comparing with the champion")
    settled = settle(context, version, folder, evaluated, test)
    decision = settled.decision
    _put_prompt_in_production(context, evaluated.winner)
    version = registry.get(context.tracker, model, version.version)
    champion = registry.holder(context.tracker, model, CHAMPION)
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    context.progress.say(f"{model} v{version.version}{aliases}{'' if fresh else ' (known)'}: {decision.reason}")
    return RegisterReport(
        use_case=case.name,
        stage="register",
        rows_digest=evaluated.rows_digest,
        model=model,
        version=version.version,
        run_id=version.run_id,
        uri=version.uri,
        aliases=version.aliases,
        champion_version=None if champion is None else champion.version,
        promotion=decision,
        comparison=settled.comparison,
        look=settled.look,
        slices=settled.slices,
        winner=evaluated.winner,
        page=context.project.shown(context.paths.page),
    )


def _example(test: Sequence[Row]) -> str:
    """A text of middle length: the text that the predictor is tried with must be one that it really answers."""
    return sorted((row.text for row in test), key=len)[len(test) // 2]


@contextmanager
def _with_model(context: Context, folder: Path, local_model: Path | None) -> Iterator[Path]:
    """The winner's files, with the weights of the local model that it asks: a version answers without the project."""
    if local_model is None:
        yield folder
        return
    size, shown = memory(bytes_of(local_model) / 2**20), context.shown(local_model)
    context.progress.say(f"the version takes the model with it: {size} from {shown}")
    with tempfile.TemporaryDirectory() as scratch:  # in build/, so that a file of weights need not be copied
        yield pack(folder, local_model, Path(scratch))


def _register(
    context: Context, model: str, key: str, evaluated: EvaluateReport, folder: Path, test: Sequence[Row]
) -> Version:
    winner = winner_of(evaluated)
    with _stored(context, winner, folder, _example(test)) as stored:
        logged = registry.log_model(context.tracker, model, stored, {**scored_values(winner), "ece": winner.ece})
    registry.attach(context.tracker, logged.run_id, model_files(context))
    quality, measure = winner.quality, MEASURES[winner.metric].title
    note = (
        f"{winner.title}: test {measure} {with_interval(quality)} on "
        f"{evaluated.test_rows:,} rows. {evaluated.winner_reason}"
    )
    tags = tags_of(context, evaluated, test) | {registry.KEY: key}
    return registry.create(context.tracker, model, logged, tags, note)


@contextmanager
def _stored(context: Context, winner: CandidateResult, folder: Path, example: str) -> Iterator[Stored]:
    """What of the winner is stored; what trying it costs is counted."""
    needed, task = needs(folder, example, context.progress.say), context.case.task
    _count(context, needed.bought)
    with tempfile.TemporaryDirectory() as scratch:
        code = copy_code(needed.modules, Path(scratch))
        yield Stored(
            predictor=folder,
            entry=code.entry,
            code=code.package,
            requirements=needed.requirements,
            columns=needed.columns,
            example=example,
            rung=winner.name,
            model_type=task.model_type,
            params={f"{task.noun}s": len(context.case.answers.names)},
        )
    _count(context, needed.bought)  # MLflow asks once more, to see that it can be served


def _count(context: Context, bought: Bought | None) -> None:
    """Count what an endpoint charges for trying the winner: those answers are asked for without a budget.

    Limit: MLflow's own try does not report its tokens; the same text, it is taken to cost what the first did.
    """
    if bought is None:
        return
    with language_models(context) as models:
        price = models.prices.tokens.get(bought.price or "")
        cached = (bought.cached_input_tokens, bought.cache_write_tokens)
        models.budget.count(list_usd(price, bought.input_tokens, bought.output_tokens, *cached))


def _keep_reference(context: Context, version: Version, folder: Path, test: Sequence[Row]) -> None:
    """Keep what the version answers to held-out rows; without it nothing is lost, the monitor makes it then."""
    if registry.REFERENCE in version.tags:
        return
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / reference.FILE
        rows = reference.of_version(context, folder, version.version, [*context.inputs.rows("dev"), *test])
        reference.write(file, rows)
        registry.keep_reference(context.tracker, version, file)


def _put_prompt_in_production(context: Context, winner: str) -> None:
    """The prompt of a winning rung is in production; when something else answers, none is."""
    report = context.inputs.reports.get("prompt")
    if isinstance(report, PromptReport) and report.rungs:
        rung = next((rung for rung in report.rungs if rung.name == winner), None)
        prompt, version = (None, None) if rung is None else (rung.prompt, rung.prompt_version)
        prompts.put_in_production(context.tracker, prompt, version)
