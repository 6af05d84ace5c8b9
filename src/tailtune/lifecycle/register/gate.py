"""The gate: a version against the champion, from their saved files, on the same test rows; and who gets which alias."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tailtune.core.errors import (
    BudgetReachedError,
    ContextTooLongError,
    EndpointError,
    MissingInputError,
    TailTuneError,
    UndeclaredEndpointError,
)
from tailtune.core.records import Decision, Row
from tailtune.core.reports import EvaluateReport, LadderReport, Paired
from tailtune.judge.guards import refusal as floor_refusal
from tailtune.judge.promote import not_above, not_answered, not_asked, not_comparable, promote
from tailtune.judge.scores import Score, compare
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import line_of, targets_of
from tailtune.lifecycle.language_models import language_models
from tailtune.lifecycle.register.identity import split_digest, winner_of
from tailtune.predictors.base import CachedEmbed, Predictor
from tailtune.predictors.encoder import Encoder
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import CHAMPION, Version
from tailtune.tasks import saved


def settle(
    context: Context, model: str, version: Version, folder: Path, evaluated: EvaluateReport, test: Sequence[Row]
) -> tuple[Decision, Paired | None]:
    """Decide who is champion, and set the version's alias.

    The champion stays what it is, with its reason; any other version meets the gate, each time.

    Args:
        context: Of the stage.
        model: Registered model's name.
        version: The version at the gate.
        folder: Its predictor's files.
        evaluated: The evaluation that it won.
        test: The test rows.

    Returns:
        The decision, and the comparison that it rests on; None when nothing was compared.

    Raises:
        TailTuneError: The champion's files cannot be loaded.
    """
    champion = registry.champion_before(context.tracker, version)
    if champion is not None and champion.version == version.version:
        return _as_settled(version)
    spec = context.case.spec
    line = line_of(evaluated.candidates)
    targets = targets_of(spec.targets, context.inputs.report(LadderReport))
    winner = winner_of(evaluated)
    comparison, refusal = None, not_above(winner, line) or floor_refusal(winner, targets.guards)
    if champion is not None and refusal is None:
        refusal = not_comparable(champion.version, champion.tags.get("split_digest"), split_digest(context))
    if champion is not None and refusal is None:
        try:
            comparison = _compare(context, champion, folder, test)
        except (EndpointError, BudgetReachedError, MissingInputError, ContextTooLongError) as error:
            refusal = not_answered(champion.version, error.message, context.case.name)
        except UndeclaredEndpointError as error:
            refusal = not_asked(champion.version, error.message, error.hint or "")
    decision = refusal or promote(
        comparison,
        None if champion is None else champion.version,
        spec.register_.promote_if,
        spec.targets.min_effect,
    )
    registry.settle(context.tracker, version, decision, comparison)
    return decision, comparison


def _as_settled(version: Version) -> tuple[Decision, Paired | None]:
    """The gate's decision and comparison when it made the champion one, from the version's tags."""
    tags = version.tags
    recorded, compared = tags.get(registry.PROMOTION), tags.get(registry.COMPARISON, "null")
    if recorded is None or tags.get(registry.PROMOTED) == "false":
        reason = f"made champion by hand; the gate had said: {recorded or 'nothing'}"
    else:
        reason = recorded
    try:
        return Decision(yes=True, reason=reason), None if compared == "null" else Paired.model_validate_json(compared)
    except ValidationError:
        raise TailTuneError(
            f"{version.uri}: its tag `{registry.COMPARISON}` is not what this code wrote there",
            f"remove the tag `{registry.COMPARISON}` of version {version.version} in MLflow's UI, then run again",
        ) from None


def _compare(context: Context, champion: Version, folder: Path, test: Sequence[Row]) -> Paired:
    """Both predictors, from their saved files, on the same test rows.

    Raises:
        EndpointError: One of them is a prompted model whose endpoint does not answer any more.
        BudgetReachedError: Its answers cost more than may be spent.
        UndeclaredEndpointError: The champion's files name an endpoint, or a key for it, that is not declared here.
        TailTuneError: The champion's files cannot be loaded.
    """
    texts = [row.text for row in test]
    encoder = Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts))
    with tempfile.TemporaryDirectory() as scratch, language_models(context) as models:
        there = registry.fetch_predictor(context.tracker, champion, Path(scratch))
        try:
            predictor = models.connected(saved.load(there, embed))
        except (OSError, LookupError, ValueError, TypeError, AttributeError, StopIteration) as error:
            raise TailTuneError(
                f"{champion.uri}: this code cannot load the champion's files ({error}); nothing to compare with",
                f"remove the alias `{CHAMPION}` of model {champion.model} in MLflow's UI to start over",
            ) from error
        second = _scored(context, predictor, test)
        first = _scored(context, models.connected(saved.load(folder, embed)), test)
    names = ("candidate", f"champion v{champion.version}")
    return compare(first, second, names)


def _scored(context: Context, predictor: Predictor, test: Sequence[Row]) -> Score:
    return context.case.task.score(test, predictor.answer([row.text for row in test]))
