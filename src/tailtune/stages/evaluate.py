"""Open test once: every candidate on the same rows, fine-tune and best cheaper rung paired by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailtune import tasks
from tailtune.core.errors import MissingInputError
from tailtune.core.records import Answer, Row
from tailtune.core.reports import CandidateResult, EvaluateReport, Paired
from tailtune.judge.costs import usd_per_1000
from tailtune.judge.decide import choose_winner
from tailtune.judge.scores import Score
from tailtune.predictors import registry
from tailtune.predictors.base import Predictor
from tailtune.predictors.cached import CachedEmbed
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.timing import time_rows
from tailtune.services import store
from tailtune.spec.prices import load_prices
from tailtune.stages.context import Context

FINE_TUNE = registry.FINE_TUNE


@dataclass(frozen=True)
class Scored:
    """One per candidate: its answers on test and what they are worth."""

    answers: Sequence[Answer]
    score: Score
    result: CandidateResult


def run(context: Context) -> EvaluateReport:
    """Score the candidates on test and name the winner.

    Raises:
        MissingInputError: A stage before this one has not run.
    """
    case, spec, paths = context.case, context.case.spec.evaluate, context.paths
    ticket = store.read_json(paths.ticket, "evaluation", f"tailtune run {case.name}")
    test = store.read_rows(paths.rows("test"), "test", case.name)
    made: dict[str, Path | str] = {"decision": ticket["rows_digest"], "ladder": paths.stage("ladder")}
    if ticket["train"]:
        made["adapter"] = paths.stage("train")
    store.require_same_rows(case.name, paths.passed, test, **made)
    folders = _folders(context, ticket["best_rung"], ticket["train"])
    scored = _candidates(context, test, ticket["best_rung"], folders)
    best = registry.title(ticket["best_rung"])
    comparison = _compare(context, scored, ticket["best_rung"])
    latency = scored[FINE_TUNE].result.latency if FINE_TUNE in scored else None
    p99 = None if latency is None else latency.p99_ms
    decision = choose_winner(comparison, best, p99, case.spec.targets.p99_ms)
    winner = FINE_TUNE if decision.yes else ticket["best_rung"]
    other = None if comparison is None else (ticket["best_rung"] if decision.yes else FINE_TUNE)
    context.progress.say(f"winner on {len(test):,} test rows: {registry.title(winner)}; {decision.reason}")

    won, beside = scored[winner], None if other is None else scored[other].answers
    details = tasks.of(case).details(case, test, won.answers, beside, won.score, spec.calibration_bins)
    failures = _write_failures(context, test, scored, winner, other)
    answered = {name: [answer.value for answer in item.answers] for name, item in scored.items()}
    store.write_answers(paths.stage("evaluate") / "test_answers.jsonl", test, answered)
    return EvaluateReport(
        use_case=case.name,
        stage="evaluate",
        rows_digest=ticket["rows_digest"],
        test_rows=len(test),
        candidates=tuple(item.result for item in scored.values()),
        comparison=comparison,
        winner=winner,
        winner_reason=decision.reason,
        per_class=details.per_class,
        per_field=details.per_field,
        confusions=details.confusions,
        calibration=details.calibration,
        failures=failures,
    )


def _folders(context: Context, best_rung: str, trained: bool) -> dict[str, Path]:
    """Where the candidates lie: the fine-tune first, when there is one, then every saved rung."""
    model = context.paths.stage("train") / "model"
    folders = {FINE_TUNE: model} if (model / registry.CARD).is_file() else {}
    rungs = context.paths.stage("ladder") / "rungs"
    folders |= {name: rungs / name for name in registry.RUNG_KINDS if (rungs / name).is_dir()}
    for name, stage in ((best_rung, "ladder"), *(((FINE_TUNE, "train"),) if trained else ())):
        if name not in folders:
            shown = context.project.shown(context.paths.stage(stage))
            raise MissingInputError(
                f"{shown}: no {registry.title(name)}; evaluation needs it", f"tailtune run {context.case.name}"
            )
    return folders


def _candidates(context: Context, test: Sequence[Row], best_rung: str, folders: dict[str, Path]) -> dict[str, Scored]:
    texts = [row.text for row in test]
    encoder = Encoder.load()
    embed = CachedEmbed(encoder.embed)
    embed.remember(texts, encoder.embed(texts, lambda done, total: context.progress.at(done, total, "encoding test")))
    scored: dict[str, Scored] = {}
    for i, (name, folder) in enumerate(folders.items()):
        context.progress.at(i, len(folders), f"test: {registry.title(name)}")
        timed = name in (FINE_TUNE, best_rung)
        scored[name] = _score_one(context, name, registry.load(folder, embed), test, embed, timed)
    return scored


def _score_one(
    context: Context,
    name: str,
    predictor: Predictor,
    test: Sequence[Row],
    embed: CachedEmbed,
    timed: bool,
) -> Scored:
    spec = context.case.spec.evaluate
    prices = load_prices(context.project)
    core_hour = None if prices.cpu_core_hour_usd is None else float(prices.cpu_core_hour_usd)
    answers = predictor.answer([row.text for row in test])
    scored = tasks.of(context.case).score(context.case, test, answers, spec.resamples, spec.calibration_bins)
    latency = None
    if timed:
        embed.timing = True
        step = max(1, len(test) // spec.latency_rows)
        latency = time_rows(predictor, [row.text for row in test[::step][: spec.latency_rows]])
        embed.timing = False
    result = CandidateResult(
        name=name,
        title=registry.title(name),
        metrics=scored.metrics,
        ece=scored.ece,
        latency=latency,
        usd_per_1000=None if latency is None else usd_per_1000(latency.mean_ms, core_hour),
        invalid_rows=scored.invalid_rows,
    )
    return Scored(answers, scored, result)


def _compare(context: Context, scored: dict[str, Scored], best_rung: str) -> Paired | None:
    if FINE_TUNE not in scored:
        return None
    first, second = scored[FINE_TUNE].score, scored[best_rung].score
    return tasks.of(context.case).compare(first, second, (FINE_TUNE, best_rung), context.case.spec.evaluate.resamples)


def _write_failures(
    context: Context, test: Sequence[Row], scored: dict[str, Scored], winner: str, other: str | None
) -> int:
    """Every test row the winner got wrong, the most confident mistakes first."""
    task, won = tasks.of(context.case), scored[winner]
    wrong = [i for i, right in enumerate(won.score.right) if not right]
    wrong.sort(key=lambda i: -won.answers[i].confidence)
    lines = (
        task.failure(context.case, test[i], won.answers[i], {} if other is None else {other: scored[other].answers[i]})
        for i in wrong
    )
    return store.write_jsonl(context.paths.stage("evaluate") / "failures.jsonl", lines)
