"""Open test once: every candidate on the same rows, fine-tune and best cheaper rung paired by row, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.errors import PartlyAnsweredError, TailTuneError
from tailtune.core.figures import usd
from tailtune.core.label_noise import LabelNoise
from tailtune.core.money import Usd
from tailtune.core.progress import counting
from tailtune.core.records import Answer, Estimate, Latency, Row
from tailtune.core.reports import CandidateResult, DecideReport, EvaluateReport, LadderReport, Paired
from tailtune.judge.ceiling import ceiling_note
from tailtune.judge.constraints import needed
from tailtune.judge.economics import usd_per_1000
from tailtune.judge.final import OnTest, final_verdict
from tailtune.judge.scores import Score, compare
from tailtune.judge.slices import by_slice
from tailtune.lifecycle.candidates import served_folder_of
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import evidence, line_of, targets_of
from tailtune.lifecycle.language_models import LanguageModels, language_models
from tailtune.lifecycle.must_not_fail import Tried, declared, tried
from tailtune.lifecycle.suspect_labels import check_test
from tailtune.predictors.base import CachedEmbed, Predictor
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.timing import time_rows
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.table import FINE_TUNE

if TYPE_CHECKING:
    from tailtune.core.language import OnReply
    from tailtune.predictors.prompted.rung import PromptAnswer, Prompted


def run(context: Context) -> EvaluateReport:
    """Score the candidates on test, name the winner and give the verdict.

    Raises:
        MissingInputError: A stage before this one has not run, or the files of a candidate are not there.
        TailTuneError: The best rung is prompted and its answers on test cost more than may be spent.
    """
    inputs = context.inputs
    ticket, test, decided = inputs.json("decide/ticket.json"), inputs.rows("test"), inputs.report(DecideReport)
    # As at the decision: by now git and folders may say something else, and one verdict is about one set of facts.
    facts = evidence(context, decided.estimated_train_usd, decided.surroundings or inputs.surroundings)
    best = ticket["best_rung"]
    folders, embed = _folders(context, best, ticket["train"]), _encoded(context, test)
    scored = _score_all(context, test, best, folders, embed)
    labels = check_test(context, test, embed)
    tested = _tested(context, scored, best, labels)
    spec = context.case.spec
    targets = targets_of(spec.targets, inputs.report(LadderReport))
    decision, final = final_verdict(tested, decided, facts, targets, spec.train.max_cost_usd)
    winner = FINE_TUNE if decision.yes else best
    other = None if tested.comparison is None else (best if decision.yes else FINE_TUNE)
    context.progress.say(f"winner on {len(test):,} test rows: {saved.title(winner)}; {decision.reason}")
    context.progress.say(f"{final.verdict}{' (provisional)' if final.provisional else ''}: {final.reason}")
    return _report(context, test, scored, winner, other).model_copy(
        update={
            "rows_digest": ticket["rows_digest"],
            "comparison": tested.comparison,
            "winner_reason": decision.reason,
            "final": final,
            "guards": targets.guards,
            "usd_spent": scored[best].spent_usd,
            "labels": labels,
            "ceiling": ceiling_note(labels, targets.quality, needed(targets)),
        }
    )


def _tested(context: Context, scored: Mapping[str, Scored], best: str, labels: LabelNoise | None) -> OnTest:
    rung, tuned = scored[best], scored.get(FINE_TUNE)
    return OnTest(
        rung=rung.result,
        fine_tune=None if tuned is None else tuned.result,
        comparison=None if tuned is None else _compare(context, tuned, rung, best),
        line=line_of(item.result for item in scored.values()),
        price=rung.price,
        labels=labels,
    )


def _compare(context: Context, tuned: Scored, rung: Scored, best: str) -> Paired:
    return compare(tuned.score, rung.score, (FINE_TUNE, best), swaps=context.case.spec.evaluate.resamples)


def _report(
    context: Context, test: Sequence[Row], scored: Mapping[str, Scored], winner: str, other: str | None
) -> EvaluateReport:
    """The figures of all, the winner's in detail; the answers are left beside it."""
    case, won = context.case, scored[winner]
    beside = None if other is None else scored[other].answers
    details = case.task.details(test, won.answers, beside, case.spec.evaluate.calibration_bins)
    answered = {name: [answer.value for answer in item.answers] for name, item in scored.items()}
    store.write_answers(context.out / "test_answers.jsonl", test, answered)
    return EvaluateReport(
        use_case=case.name,
        stage="evaluate",
        test_rows=len(test),
        candidates=tuple(item.result for item in scored.values()),
        comparison=None,
        winner=winner,
        winner_reason="",
        per_class=details.per_class,
        per_field=details.per_field,
        per_slice=by_slice(test, won.score),
        confusions=details.confusions,
        calibration=details.calibration,
        failures=_write_failures(context, test, scored, winner, other),
    )


def _write_failures(
    context: Context, test: Sequence[Row], scored: Mapping[str, Scored], winner: str, other: str | None
) -> int:
    """Every test row the winner got wrong, the most confident mistakes first."""
    task, won = context.case.task, scored[winner]
    wrong = [i for i, right in enumerate(won.score.right) if not right]
    if not any(math.isnan(won.answers[i].confidence) for i in wrong):  # a prompted model has none
        wrong.sort(key=lambda i: -won.answers[i].confidence)
    lines = (
        task.failure(test[i], won.answers[i], {} if other is None else {other: scored[other].answers[i]}) for i in wrong
    )
    return store.write_jsonl(context.out / "failures.jsonl", lines)


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
    spent_usd: Usd | None = 0.0


def _folders(context: Context, best_rung: str, trained: bool) -> dict[str, Path]:
    """The folder of each candidate: the fine-tune first, when there is one, every local rung, and the best if prompted.

    Raises:
        MissingInputError: The best rung is not there, or the fine-tune that was decided for.
    """
    local = context.inputs.folder("ladder/rungs")
    folders = {FINE_TUNE: served_folder_of(context, FINE_TUNE)} if trained else {}
    folders |= {name: local / name for name in saved.RUNG_KINDS if (local / name).is_dir()}
    return folders | {best_rung: served_folder_of(context, best_rung)}


def _encoded(context: Context, test: Sequence[Row]) -> CachedEmbed:
    """The encoder, with the vectors of test remembered."""
    texts, encoder = [row.text for row in test], Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts, lambda done, total: context.progress.at(done, total, "encoding test")))
    return embed


def _score_all(
    context: Context, test: Sequence[Row], best_rung: str, folders: Mapping[str, Path], embed: CachedEmbed
) -> dict[str, Scored]:
    """Every candidate on every test row. Answers that have to be bought come first: buying may fail, and is kept.

    Raises:
        TailTuneError: The money ran out before the last test row was answered.
        EndpointError: The endpoint of the best rung does not answer.
    """
    loaded = {name: saved.load(folder, embed) for name, folder in folders.items()}
    bought = {name: _bought(context, name, loaded[name], test) for name in folders if name in PROMPT_RUNGS}
    scored: dict[str, Scored] = {}
    for place, (name, predictor) in enumerate(loaded.items()):
        context.progress.at(place, len(loaded), f"test: {saved.title(name)}")
        timed = name in (FINE_TUNE, best_rung)
        scored[name] = bought[name] if name in bought else _local(context, name, predictor, test, embed, timed)
    return scored


def _local(
    context: Context, name: str, predictor: Predictor, test: Sequence[Row], embed: CachedEmbed, timed: bool
) -> Scored:
    spec = context.case.spec.evaluate
    answers, must = predictor.answer([row.text for row in test]), tried(context, predictor.answer)
    latency = None
    if timed:
        embed.timing = True
        step = max(1, len(test) // spec.latency_rows)
        latency = time_rows(predictor, [row.text for row in test[::step][: spec.latency_rows]])
        embed.timing = False
    cost = None if latency is None else _own_usd(context, latency)
    return _scored(context, name, answers, test, latency, cost, must)


def _scored(
    context: Context, name: str, answers: Sequence[Answer], test: Sequence[Row], latency: Latency | None,
    cost: float | None, must: Tried,
) -> Scored:  # fmt: skip
    spec = context.case.spec.evaluate
    found = context.case.task.score(test, answers, spec.calibration_bins)
    result = CandidateResult(
        name=name,
        title=saved.title(name),
        metrics=found.metrics | must.metrics,
        must_failed=must.failed,
        ece=found.ece,
        latency=latency,
        usd_per_1000=cost,
        invalid_rows=found.invalid_rows,
        look_alike_rows=found.look_alike_rows,
        ignores_text=saved.ignores_text(name),
    )
    return Scored(answers, found, result)


def _bought(context: Context, name: str, predictor: Predictor, test: Sequence[Row]) -> Scored:
    """Answers of a prompted rung: paid from a budget of their own, and kept. A model in a folder costs core time."""
    from tailtune.predictors.prompted.costs import latency, price
    from tailtune.predictors.prompted.rung import Prompted

    assert isinstance(predictor, Prompted)  # noqa: S101 - its name says so
    with language_models(context) as models:
        rung = predictor.using(models.open(predictor.spec), predictor.spec)
        _say_cost(context, models, rung, test)
        show = counting(context.progress, len(test), f"test: {saved.title(predictor.name)}")
        replies = _replies(context, rung, [row.text for row in test], "test rows", show)
        must = tried(
            context,
            lambda texts: [reply.answer for reply in _replies(context, rung, texts, "rows that must not fail")],
        )
        spent = models.budget.spent_usd
    answers, timed = [reply.answer for reply in replies], latency(replies, predictor.spec.name)
    if predictor.spec.local:
        return _scored(context, name, answers, test, timed, _own_usd(context, timed), must)
    cost = price([reply.reply.usd for reply in replies])
    made = _scored(context, name, answers, test, timed, None if cost is None else cost.value, must)
    return replace(made, price=None if cost is None else cost.per(1000), spent_usd=spent)


def _own_usd(context: Context, timed: Latency) -> Usd | None:
    """US dollars for 1,000 answers on a core of our own; None when no price is declared."""
    return usd_per_1000(timed.mean_ms, context.inputs.prices.cpu_core_hour_usd)


def _say_cost(context: Context, models: LanguageModels, rung: Prompted, test: Sequence[Row]) -> None:
    from tailtune.predictors.prompted.costs import expected

    must = declared(context)
    cost = expected(rung, [row.text for row in (*test, *must)], models.price(rung.spec)).usd
    price = "at a price that is not known" if cost is None else f"for at most about {usd(cost)}"
    and_must = f" and {len(must):,} that must not fail" if must else ""
    title = saved.title(rung.name)
    context.progress.say(
        f"{title}: {len(test):,} test rows{and_must} {price}, less what is kept; {_spending_limit(context)}"
    )


def _spending_limit(context: Context) -> str:
    return f"the limit is {usd(context.case.spec.prompt.max_cost_usd)} (prompt.max_cost_usd)"


def _replies(
    context: Context, rung: Prompted, texts: Sequence[str], what: str, on_reply: OnReply | None = None
) -> list[PromptAnswer]:
    try:
        return rung.ask(texts, on_reply=on_reply)
    except PartlyAnsweredError as out:
        name = context.case.name
        raise TailTuneError(
            f"{name}: {_spending_limit(context)}, and is reached after {len(out.answers):,} of {len(texts):,} {what} "
            f"were answered by {saved.title(rung.name)}; their answers are kept and not paid again",
            f"raise prompt.max_cost_usd in {context.shown(context.paths.model_yaml)}, then tailtune run {name}",
        ) from out
