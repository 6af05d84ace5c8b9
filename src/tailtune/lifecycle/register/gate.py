"""The gate: a version against the champion, from their saved files, on the same test rows; and who gets which alias."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from tailtune.core.records import Decision, Look, Row
from tailtune.core.reports import EvaluateReport, LadderReport, Paired, SliceChange
from tailtune.judge.guards import refusal as floor_refusal
from tailtune.judge.intervals import SWAPS, least_difference
from tailtune.judge.looks import halves
from tailtune.judge.promote import (
    Compared,
    not_above,
    not_answered,
    not_asked,
    not_comparable,
    promote,
    worse_in_a_slice,
)
from tailtune.judge.scores import Score, compare
from tailtune.judge.slices import changes
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import line_of, targets_of
from tailtune.lifecycle.language_models import language_models
from tailtune.lifecycle.register.dollars import Answered, net_value
from tailtune.lifecycle.register.identity import winner_of
from tailtune.lifecycle.register.looks import last_look, look_at, looks_in_year, newest_audited, noting
from tailtune.lifecycle.register.splits import splits_alike
from tailtune.predictors.base import CachedEmbed, Predictor
from tailtune.predictors.encoder import Encoder
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import require
from tailtune.services.mlflow.registry import CHAMPION, Version
from tailtune.tasks import saved

_MOST_SWAPS = 200_000
_SLICES = "tailtune.slices"
_LONGEST_TAG = 4_900


@dataclass(frozen=True)
class Settled:
    """One per version at the gate.

    Attributes:
        decision: Whether it became champion, and why.
        comparison: What that rests on; None when nothing was compared.
        look: How often the test set had been looked at; None as for `comparison`, and where nobody noted it.
        slices: The comparison slice by slice; empty where there are none, or nobody noted them.
    """

    decision: Decision
    comparison: Paired | None = None
    look: Look | None = None
    slices: tuple[SliceChange, ...] = ()


def settle(context: Context, version: Version, folder: Path, evaluated: EvaluateReport, test: Sequence[Row]) -> Settled:
    """Decide who is champion, and set the version's alias.

    The champion stays what it is, with its reason; any other version meets the gate, each time.

    Args:
        context: Of the stage.
        version: The version at the gate.
        folder: Its predictor's files.
        evaluated: The evaluation that it won.
        test: The test rows.

    Raises:
        TailTuneError: The champion's files cannot be loaded.
    """
    champion = registry.champion_before(context.tracker, version)
    if champion is not None and champion.version == version.version:
        return _as_settled(version)
    spec, noted = context.case.spec, {}
    compared: Compared | None = None
    newest: Compared | None = None
    refusal = _unfit(context, evaluated)
    if champion is not None and refusal is None:
        refusal = not_comparable(champion.version, splits_alike(context, champion.tags))
    if champion is not None and refusal is None:
        answered = _answers(context, champion, Answering(evaluated.winner, folder), test)
        if isinstance(answered, Decision):
            refusal = answered
        else:
            compared, newest = _compare(context, version, champion, answered, test)
            noted = noting(version, champion, compared.look) | {_SLICES: _written(compared.slices)}
            refusal = worse_in_a_slice(compared.slices) if spec.register_.block_slices else None
    decision = refusal or promote(compared, spec.register_.promote_if, spec.targets.margin, newest)
    comparison = None if compared is None else compared.paired
    registry.settle(context.tracker, version, decision, comparison, noted)
    if compared is None:
        return Settled(decision)
    return Settled(decision, comparison, compared.look, compared.slices)


def _unfit(context: Context, evaluated: EvaluateReport) -> Decision | None:
    """The refusal of a winner that nobody should be served by, a first version included; None when it may be champion.

    What every version must satisfy is asked here, before anything is compared.
    """
    targets, won = targets_of(context.case.spec.targets, context.inputs.report(LadderReport)), winner_of(evaluated)
    return not_above(won, line_of(evaluated.candidates)) or floor_refusal(won, targets.guards)


def _as_settled(version: Version) -> Settled:
    """What the gate settled when it made the champion one, from the version's tags."""
    tags = version.tags
    recorded, compared = tags.get(registry.PROMOTION), tags.get(registry.COMPARISON, "null")
    if recorded is None or tags.get(registry.PROMOTED) == "false":
        reason = f"made champion by hand; the gate had said: {recorded or 'nothing'}"
    else:
        reason = recorded
    try:
        comparison = None if compared == "null" else Paired.model_validate_json(compared)
    except ValidationError:
        raise TailTuneError(
            f"{version.uri}: its tag `{registry.COMPARISON}` is not what this code wrote there",
            f"remove the tag `{registry.COMPARISON}` of version {version.version} in MLflow's UI, then run again",
        ) from None
    return Settled(Decision(yes=True, reason=reason), comparison, last_look(version), _slices_of(tags))


def _written(slices: Sequence[SliceChange]) -> str:
    """Slices as a tag: the worst of them, as many as every tracking server takes."""
    lines: list[str] = []
    for change in slices:
        lines.append(change.model_dump_json(exclude_none=True))
        if sum(map(len, lines)) + len(lines) > _LONGEST_TAG:
            lines.pop()
            break
    return f"[{','.join(lines)}]"


def _slices_of(tags: Mapping[str, str]) -> tuple[SliceChange, ...]:
    """Slices from a version's tags; none where nobody noted them, or the tag is not what this code wrote there."""
    try:
        return tuple(SliceChange.model_validate(each) for each in json.loads(tags.get(_SLICES, "[]")))
    except (ValueError, TypeError):
        return ()


@dataclass(frozen=True)
class Answering:
    """One per version: the kind of its predictor, and where its files are."""

    kind: str
    folder: Path


def _answers(
    context: Context, champion: Version, winner: Answering, test: Sequence[Row]
) -> tuple[Answered, Answered] | Decision:
    """The candidate's answers and the champion's; or the refusal when one of them cannot be asked."""
    try:
        return _both(context, champion, winner, test)
    except (EndpointError, BudgetReachedError, MissingInputError, ContextTooLongError) as error:
        return not_answered(champion.version, error.message, context.case.name)
    except UndeclaredEndpointError as error:
        return not_asked(champion.version, error.message, error.hint or "")


def _compare(
    context: Context, version: Version, champion: Version, answered: tuple[Answered, Answered], test: Sequence[Row]
) -> tuple[Compared, Compared | None]:
    """Both on the same test rows, judged as the look that it is; and on the newest audited ones, if they are enough.

    Raises:
        MissingInputError: Dollars are known, and a stage that they are made of has not run.
    """
    ours, theirs = answered
    known = registry.versions(context.tracker, version.model)
    at = look_at(known, version, champion, test, lambda tags: splits_alike(context, tags))
    by_dollars = context.case.spec.register_.promote_if == "not-worse"
    places = [] if by_dollars else newest_audited(test, context.case.paths.audits.name)
    newest = None
    if places:
        at, of_newest = halves(at, looks_in_year(known, version, champion))
        rows = [test[place] for place in places]
        scores = (context.case.task.score(rows, [each.answers[place] for place in places]) for each in answered)
        newest = _on_rows(champion, of_newest, *scores)
    compared = _on_rows(champion, at, ours.score, theirs.score)
    whole = replace(
        compared,
        net=net_value(context, ours, theirs, compared.paired) if by_dollars else None,
        months=context.case.spec.value.horizon_months,
        slices=changes(test, ours.score, theirs.score, _names(champion)),
    )
    return whole, newest


def _names(champion: Version) -> tuple[str, str]:
    return "candidate", f"champion v{champion.version}"


def _on_rows(champion: Version, at: Look, ours: Score, theirs: Score) -> Compared:
    """Both on the same rows, at the error of a look."""
    level = 2 * at.error
    # A p so small that this look may promote by it must be one that the test can give.
    swaps = min(_MOST_SWAPS, max(SWAPS, math.ceil(10 / level)))
    first, second = (each.counted[ours.metric] for each in (ours, theirs))
    return Compared(
        champion=champion.version,
        paired=compare(ours, theirs, _names(champion), swaps=swaps),
        look=at,
        least=least_difference(first, second, ours.groups, level),
    )


def _both(context: Context, champion: Version, winner: Answering, test: Sequence[Row]) -> tuple[Answered, Answered]:
    """The candidate's answers and the champion's, from their saved files.

    Raises:
        EndpointError: One of them is a prompted model whose endpoint does not answer any more.
        BudgetReachedError: Its answers cost more than may be spent.
        UndeclaredEndpointError: The champion's files name an endpoint, or a key for it, that is not declared here.
        ServiceError: The champion's files are gone, or are not those that were registered.
        TailTuneError: They cannot be loaded.
    """
    texts = [row.text for row in test]
    encoder = Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts))
    with language_models(context) as models:
        stored = require(context.tracker.uri, champion.model, champion.version)
        there = fetch(context.tracker.uri, stored, context.project.fetched_versions)
        try:
            predictor = models.connected(saved.load(there, embed))
        except (OSError, LookupError, ValueError, TypeError, AttributeError, StopIteration) as error:
            raise TailTuneError(
                f"{champion.uri}: this code cannot load the champion's files ({error}); nothing to compare with",
                f"remove the alias `{CHAMPION}` of model {champion.model} in MLflow's UI to start over",
            ) from error
        theirs = _answered(context, champion.tags.get("winner", ""), predictor, test)
        return _answered(context, winner.kind, models.connected(saved.load(winner.folder, embed)), test), theirs


def _answered(context: Context, kind: str, predictor: Predictor, test: Sequence[Row]) -> Answered:
    answers = predictor.answer([row.text for row in test])
    return Answered(kind, predictor, answers, context.case.task.score(test, answers))
