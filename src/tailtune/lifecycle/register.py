"""Register the winner as a version; the gate decides who is champion. Run again after a kill, it finishes its work."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tailtune.config.model import SECTIONS
from tailtune.config.prices import list_usd
from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.errors import (
    BudgetReachedError,
    ContextTooLongError,
    EndpointError,
    MissingInputError,
    TailTuneError,
    UsageError,
)
from tailtune.core.figures import memory
from tailtune.core.measures import MEASURES
from tailtune.core.records import Decision, Row
from tailtune.core.reports import (
    REPORTS,
    CandidateResult,
    DecideReport,
    EvaluateReport,
    Paired,
    PromptReport,
    RegisterReport,
    Report,
)
from tailtune.core.run_plan import estimate_values, latency_values
from tailtune.judge.promote import not_answered, not_comparable, promote
from tailtune.judge.scores import Score
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models, require_unchanged_weights
from tailtune.predictors.base import CachedEmbed, Predictor
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.prompted.opening import model_of, pack
from tailtune.predictors.prompted.weights import bytes_of, digest_of
from tailtune.report.html import page
from tailtune.services import store, versions
from tailtune.services.mlflow import prompts, registry
from tailtune.services.mlflow.bundle import Bought, folder_digest, needs
from tailtune.services.mlflow.registry import CHAMPION, Version
from tailtune.tasks import saved as predictors
from tailtune.tasks.table import FINE_TUNE

_SHAPING = tuple(section for section in SECTIONS if section != "description")
_SPLITTING = ("data", "curate", "split")


def run(context: Context) -> RegisterReport:
    """Register the evaluation's winner, compare it with the champion, set aliases, write the decision page.

    Equal rows, winner and files are one version: then its tags and reports are updated, and no second one is made.

    Raises:
        UsageError: data/ was edited and not pinned, so nobody could say which rows the version is made from.
        MissingInputError: Evaluation has not run, the winner's files are gone, or a local model's weights have changed.
        ServiceError: The tracking store failed, or the winner does not answer from its files.
    """
    case, paths = context.case, context.paths
    _require_pinned(context)
    evaluated = store.read_report(paths.report("evaluate"), EvaluateReport, case.name)
    require_unchanged_weights(context)
    folder = _folder(context, evaluated.winner)
    test = store.read_rows(paths.rows("test"), "test", case.name, case.task.parse_label)
    model = case.spec.register_.model or case.name
    asks = (
        model_of(folder, context.settings.weights_root(context.project)) if evaluated.winner in PROMPT_RUNGS else None
    )
    key = _key(evaluated, test, folder, asks)

    version = registry.find(context.tracker, model, key)
    fresh = version is None
    if version is None:
        context.progress.at(0, 3, f"registering {predictors.title(evaluated.winner)} as {model}")
        with _whole(context, folder, asks) as whole:
            version = _register(context, model, key, evaluated, whole, _example(test))
    else:
        registry.tag(context.tracker, version, _tags(context, evaluated))
    context.progress.at(1, 3, "comparing with the champion")
    decision, comparison = _settle(context, model, version, folder, test)
    _name_prompt(context, evaluated.winner)
    version = registry.get(context.tracker, model, version.version)
    champion = registry.holder(context.tracker, model, CHAMPION)
    report = RegisterReport(
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
        comparison=comparison,
        winner=evaluated.winner,
        page=context.project.shown(paths.page),
    )
    reports = _reports(context) | {"register": report}
    with store.written_whole(paths.page) as part:
        part.write_text(page.render(reports), encoding="utf-8")
    context.progress.at(2, 3, "storing the files beside the model")
    registry.attach(context.tracker, version.run_id, _papers(context))
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    context.progress.say(f"{model} v{version.version}{aliases}{'' if fresh else ' (known)'}: {decision.reason}")
    return report


def _example(test: Sequence[Row]) -> str:
    """A text of middle length: what it is tried with must be one that it really answers."""
    return sorted((row.text for row in test), key=len)[len(test) // 2]


def _folder(context: Context, winner: str) -> Path:
    if winner == FINE_TUNE:
        folder = context.paths.stage("train") / "model"
    else:
        stage = "prompt" if winner in PROMPT_RUNGS else "ladder"
        folder = context.paths.stage(stage) / "rungs" / winner
    if not (folder / predictors.CARD).is_file():
        raise MissingInputError(
            f"{context.project.shown(folder)}: the winner's files are not there", f"tailtune run {context.case.name}"
        )
    return folder


def _require_pinned(context: Context) -> None:
    """A version names its rows by the hash in data.dvc, so what that pins must be what is here."""
    project, name = context.project, context.case.name
    if versions.data_hash(project) is None or not context.paths.data.is_dir():
        return
    if not versions.data_is_pinned(project, name):
        raise UsageError(
            f"{project.shown(context.paths.data)}: not as data.dvc pins it; the version would name rows it was not "
            "made from",
            f"dvc add data && tailtune run {name}",
        )


@contextmanager
def _whole(context: Context, folder: Path, model: Path | None) -> Iterator[Path]:
    """The winner's files, with the weights of the local model that it asks: a version answers without the project."""
    if model is None:
        yield folder
        return
    size, shown = memory(bytes_of(model) / 2**20), context.project.shown(model)
    context.progress.say(f"the version takes the model with it: {size} from {shown}")
    with tempfile.TemporaryDirectory(prefix=".register-", dir=context.paths.build) as scratch:
        yield pack(folder, model, Path(scratch))


def _key(evaluated: EvaluateReport, test: Sequence[Row], folder: Path, model: Path | None) -> str:
    """Equal exactly when rows, winner and files are: a rerun finds its version instead of making a second."""
    parts = [evaluated.rows_digest, store.rows_digest(test), evaluated.winner, folder_digest(folder)]
    parts += [] if model is None else [digest_of(model)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _register(context: Context, model: str, key: str, evaluated: EvaluateReport, folder: Path, example: str) -> Version:
    winner = next(c for c in evaluated.candidates if c.name == evaluated.winner)
    task, names = context.case.task, len(context.case.answers.names)
    needed = needs(folder, example)
    _count(context, needed.bought)
    stored = registry.Stored(folder, example, needed, winner.name, task.model_type, {f"{task.noun}s": names})
    logged = registry.log_model(context.tracker, model, stored, _values(winner))
    _count(context, needed.bought)  # MLflow asks once more, to see that it can be served
    registry.attach(context.tracker, logged.run_id, _papers(context))
    tags = _tags(context, evaluated) | {registry.KEY: key}
    found, measure = winner.quality, MEASURES[winner.metric].title
    note = (
        f"{winner.title}: test {measure} {found.value:.1%} ({found.low:.1%} to {found.high:.1%}) on "
        f"{evaluated.test_rows:,} rows. {evaluated.winner_reason}"
    )
    return registry.create(context.tracker, model, logged, tags, note)


def _count(context: Context, bought: Bought | None) -> None:
    """Count what an endpoint charges for trying the winner, which nobody does with a budget in hand.

    Limit: MLflow's own try does not tell its tokens; the same text, it is taken to cost what the first did.
    """
    if bought is None:
        return
    with language_models(context) as models:
        price = models.prices.tokens.get(bought.price or "")
        models.budget.count(list_usd(price, bought.input_tokens, bought.output_tokens, bought.cached_input_tokens))


def _values(winner: CandidateResult) -> dict[str, float | None]:
    measured = [estimate_values(name, estimate) for name, estimate in winner.metrics.items()]
    return {
        **{name: value for values in measured for name, value in values.items()},
        **latency_values(winner.latency),
        "ece": winner.ece,
        "usd_per_1000": winner.usd_per_1000,
        "invalid_rows": winner.invalid_rows,
    }


def _tags(context: Context, evaluated: EvaluateReport) -> dict[str, str]:
    """What made the version. Unknown things have no tag."""
    winner = next(c for c in evaluated.candidates if c.name == evaluated.winner)
    root = context.project.root
    commit = versions.git_commit(root)
    decided = _reports(context).get("decide")
    known: Mapping[str, str | None] = {
        "winner": winner.name,
        **{name: f"{estimate.value:.4f}" for name, estimate in winner.metrics.items()},
        "verdict": decided.verdict if isinstance(decided, DecideReport) else None,
        "data_hash": versions.data_hash(context.project),
        "rows_digest": evaluated.rows_digest,
        "spec_hash": context.case.spec.digest(_SHAPING),
        "split_digest": _split_digest(context),
        "git_commit": commit,
        "use_case": context.case.name,
        "git_dirty": None if commit is None else str(versions.git_dirty(root)).lower(),
    }
    return {name: value for name, value in known.items() if value}


def _split_digest(context: Context) -> str:
    """Equal exactly when rows go to the same splits: then no row that one version learned from tests another."""
    spec = context.case.spec
    given = context.paths.data / spec.data.test_file if spec.data.test_file else None
    held_out = "" if given is None or not given.is_file() else hashlib.sha256(given.read_bytes()).hexdigest()
    return hashlib.sha256(f"{spec.digest(_SPLITTING)}\x1f{held_out}".encode()).hexdigest()[:16]


def _settle(
    context: Context, model: str, version: Version, folder: Path, test: Sequence[Row]
) -> tuple[Decision, Paired | None]:
    """Decide and name. The champion stays what it is, with its reason; any other version meets the gate, each time."""
    champion = registry.holder(context.tracker, model, CHAMPION)
    if champion is not None and champion.version == version.version:
        return _as_settled(version)
    spec = context.case.spec
    comparison, refusal = None, None
    if champion is not None:
        refusal = not_comparable(champion.version, champion.tags.get("split_digest"), _split_digest(context))
    if champion is not None and refusal is None:
        try:
            comparison = _compare(context, champion, folder, test)
        except (EndpointError, BudgetReachedError, MissingInputError, ContextTooLongError) as error:
            refusal = not_answered(champion.version, error.message, context.case.name)
    decision = refusal or promote(
        comparison,
        None if champion is None else champion.version,
        spec.register_.promote_if,
        spec.targets.min_effect,
    )
    registry.settle(context.tracker, version, decision, comparison)
    return decision, comparison


def _name_prompt(context: Context, winner: str) -> None:
    """The prompt of a winning rung is in production; when something else answers, none is."""
    report = _reports(context).get("prompt")
    if isinstance(report, PromptReport) and report.rungs:
        rung = next((one for one in report.rungs if one.name == winner), None)
        prompt, version = (None, None) if rung is None else (rung.prompt, rung.prompt_version)
        prompts.put_in_production(context.tracker, prompt, version)


def _as_settled(version: Version) -> tuple[Decision, Paired | None]:
    """What the gate said when it made the champion one, from the version's tags."""
    tags = version.tags
    recorded, compared = tags.get(registry.PROMOTION), tags.get(registry.COMPARISON, "null")
    if recorded is None or tags.get(registry.PROMOTED) == "false":
        reason = f"made champion by hand; the gate had said: {recorded or 'nothing'}"
    else:
        reason = recorded
    return Decision(yes=True, reason=reason), None if compared == "null" else Paired.model_validate_json(compared)


def _compare(context: Context, champion: Version, folder: Path, test: Sequence[Row]) -> Paired:
    """Both predictors, from their saved files, on the same test rows.

    Raises:
        EndpointError: One of them is a prompted model whose endpoint does not answer any more.
        BudgetReachedError: Its answers cost more than may be spent.
        TailTuneError: The champion's files cannot be loaded.
    """
    texts = [row.text for row in test]
    encoder = Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts))
    with tempfile.TemporaryDirectory(prefix="tailtune-") as scratch, language_models(context) as models:
        there = registry.fetch_predictor(context.tracker, champion, Path(scratch))
        try:
            predictor = models.connected(predictors.load(there, embed))
        except (OSError, KeyError, ValueError) as error:
            raise TailTuneError(
                f"{champion.uri}: this code cannot load the champion's files ({error}); nothing to compare with",
                f"remove the alias `{CHAMPION}` of model {champion.model} in MLflow's UI to start over",
            ) from error
        second = _scored(context, predictor, test)
        first = _scored(context, models.connected(predictors.load(folder, embed)), test)
    names = ("candidate", f"champion v{champion.version}")
    return context.case.task.compare(first, second, names)


def _scored(context: Context, predictor: Predictor, test: Sequence[Row]) -> Score:
    answers = predictor.answer([row.text for row in test])
    return context.case.task.score(test, answers)


def _reports(context: Context) -> dict[str, Report]:
    """The reports of the stages before this one that are there."""
    return {
        name: store.read_report(context.paths.report(name), kind, context.case.name)
        for name, kind in REPORTS.items()
        if name != "register" and context.paths.report(name).is_file()
    }


def _papers(context: Context) -> dict[str, Path]:
    """Everything `tailtune reproduce` and a reader need, by artifact path."""
    paths, project = context.paths, context.project
    model_files = {
        "spec/model.yaml": paths.model_yaml,
        f"spec/{context.case.spec.ANSWERS}": context.case.answers_file,
        "spec/prices.yaml": project.prices,
        "spec/data.dvc": project.data_dvc,
        "spec/dvc.yaml": project.dvc_yaml,
        "spec/dvc.lock": project.dvc_yaml.with_name("dvc.lock"),
        "decision.html": paths.page,
    }
    model_files |= {f"spec/prompts/{path.name}": path for path in sorted(paths.prompts.glob("*.md"))}
    return model_files | {f"reports/{name}.json": paths.report(name) for name in REPORTS if name != "register"}
