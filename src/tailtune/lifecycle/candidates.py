"""Who is scored on test, and how: the fine-tune and local rungs here, a best rung that is prompted by its endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.prices import load_prices
from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.errors import AskedOutError, MissingInputError, TailTuneError
from tailtune.core.records import Answer, Estimate, Latency, Row
from tailtune.core.reports import CandidateResult
from tailtune.judge.economics import usd_per_1000
from tailtune.judge.scores import Score
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import CachedEmbed, Predictor
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.timing import time_rows
from tailtune.report.numbers import usd
from tailtune.tasks import saved
from tailtune.tasks.table import FINE_TUNE

if TYPE_CHECKING:
    from tailtune.lifecycle.language_models import LanguageModels
    from tailtune.predictors.prompted.rung import Asked, Prompted


@dataclass(frozen=True)
class Scored:
    """One per candidate: its answers on test and what they are worth.

    Attributes:
        price: Of a request, US dollars, with its interval; None where nothing was bought, as of a model in a folder,
            or its cost is not known.
        spent_usd: Paid for them now, kept answers not counted; None when not known.
    """

    answers: Sequence[Answer]
    score: Score
    result: CandidateResult
    price: Estimate | None = None
    spent_usd: float | None = 0.0


def folders(context: Context, best_rung: str, trained: bool) -> dict[str, Path]:
    """Where the candidates lie: the fine-tune first, when there is one, every local rung, and the best if prompted.

    Raises:
        MissingInputError: The best rung is not there, or the fine-tune that was decided for.
    """
    model = context.paths.stage("train") / "model"
    found = {FINE_TUNE: model} if (model / saved.CARD).is_file() else {}
    local, prompted = (context.paths.stage(stage) / "rungs" for stage in ("ladder", "prompt"))
    found |= {name: local / name for name in saved.RUNG_KINDS if (local / name).is_dir()}
    if best_rung in PROMPT_RUNGS and (prompted / best_rung).is_dir():
        found[best_rung] = prompted / best_rung
    stage = "prompt" if best_rung in PROMPT_RUNGS else "ladder"
    for name, made_by in ((best_rung, stage), *(((FINE_TUNE, "train"),) if trained else ())):
        if name not in found:
            shown = context.project.shown(context.paths.stage(made_by))
            raise MissingInputError(
                f"{shown}: no {saved.title(name)}; evaluation needs it", f"tailtune run {context.case.name}"
            )
    return found


def score(context: Context, test: Sequence[Row], best_rung: str, where: Mapping[str, Path]) -> dict[str, Scored]:
    """Every candidate on every test row. What has to be bought is bought first: it may fail, and is kept.

    Raises:
        TailTuneError: The money ran out before the last test row was answered.
        EndpointError: The endpoint of the best rung does not answer.
    """
    texts = [row.text for row in test]
    encoder = Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts, lambda done, total: context.progress.at(done, total, "encoding test")))
    loaded = {name: saved.load(folder, embed) for name, folder in where.items()}
    bought = {name: _bought(context, name, loaded[name], test) for name in where if name in PROMPT_RUNGS}
    scored: dict[str, Scored] = {}
    for place, (name, predictor) in enumerate(loaded.items()):
        context.progress.at(place, len(loaded), f"test: {saved.title(name)}")
        timed = name in (FINE_TUNE, best_rung)
        scored[name] = bought[name] if name in bought else _here(context, name, predictor, test, embed, timed)
    return scored


def _here(
    context: Context, name: str, predictor: Predictor, test: Sequence[Row], embed: CachedEmbed, timed: bool
) -> Scored:
    spec = context.case.spec.evaluate
    answers = predictor.answer([row.text for row in test])
    latency = None
    if timed:
        embed.timing = True
        step = max(1, len(test) // spec.latency_rows)
        latency = time_rows(predictor, [row.text for row in test[::step][: spec.latency_rows]])
        embed.timing = False
    cost = None if latency is None else _own_usd(context, latency)
    return _scored(context, name, answers, test, latency, cost)


def _scored(
    context: Context, name: str, answers: Sequence[Answer], test: Sequence[Row], latency: Latency | None,
    cost: float | None,
) -> Scored:  # fmt: skip
    spec = context.case.spec.evaluate
    found = context.case.task.score(test, answers, spec.resamples, spec.calibration_bins)
    result = CandidateResult(
        name=name,
        title=saved.title(name),
        metrics=found.metrics,
        ece=found.ece,
        latency=latency,
        usd_per_1000=cost,
        invalid_rows=found.invalid_rows,
    )
    return Scored(answers, found, result)


def _bought(context: Context, name: str, predictor: Predictor, test: Sequence[Row]) -> Scored:
    """Answers of a prompted rung: paid from a budget of their own, and kept. A model in a folder costs core time."""
    from tailtune.lifecycle.language_models import language_models
    from tailtune.predictors.prompted.replied import latency, price
    from tailtune.predictors.prompted.rung import Prompted

    assert isinstance(predictor, Prompted)  # noqa: S101 - its name says so
    with language_models(context) as models:
        asked = _asked(context, models, predictor, test)
        spent = models.budget.spent_usd
    answers, timed = [one.answer for one in asked], latency(asked, predictor.spec.name)
    if predictor.spec.folder is not None:
        return _scored(context, name, answers, test, timed, _own_usd(context, timed))
    cost = price([one.reply.usd for one in asked])
    made = _scored(context, name, answers, test, timed, None if cost is None else cost.value)
    each = None if cost is None else cost.model_copy(
        update={end: getattr(cost, end) / 1000 for end in ("value", "low", "high")}
    )  # fmt: skip
    return replace(made, price=each, spent_usd=spent)


def _own_usd(context: Context, timed: Latency) -> float | None:
    """US dollars for 1,000 answers on a core of our own; None when no price is declared."""
    return usd_per_1000(timed.mean_ms, load_prices(context.project).cpu_core_hour_usd)


def _asked(context: Context, models: LanguageModels, predictor: Prompted, test: Sequence[Row]) -> list[Asked]:
    from tailtune.predictors.prompted.expecting import expected

    case, spec = context.case, predictor.spec
    rung = predictor.using(models.open(spec), spec)
    texts, title = [row.text for row in test], saved.title(predictor.name)
    limit = f"the limit is {usd(case.spec.prompt.max_cost_usd)} (prompt.max_cost_usd)"
    cost = expected(rung, texts, models.price(spec)).usd
    told = "at a price that is not known" if cost is None else f"for at most about {usd(cost)}"
    context.progress.say(f"{title}: {len(test):,} test rows {told}, less what is kept; {limit}")
    done = [0]

    def heard(place: int, reply: object) -> None:
        done[0] += 1
        context.progress.at(done[0], len(test), f"test: {title}")

    try:
        return rung.asked(texts, on_reply=heard)
    except AskedOutError as out:
        raise TailTuneError(
            f"{case.name}: {limit}, and is reached after {len(out.asked):,} of {len(test):,} test rows were answered "
            f"by {title}; their answers are kept and not paid again",
            f"raise prompt.max_cost_usd in {context.project.shown(context.paths.model_yaml)}, then "
            f"tailtune run {case.name}",
        ) from out
