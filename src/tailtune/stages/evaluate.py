"""Open test once: every candidate on the same rows, fine-tune and best cheaper rung paired by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailtune.core.errors import MissingInputError
from tailtune.core.records import Answer, Row
from tailtune.core.reports import CandidateResult, EvaluateReport, Paired
from tailtune.judge.costs import usd_per_1000
from tailtune.judge.decide import choose_winner
from tailtune.judge.metrics import Score, calibration, confusions, per_class, score
from tailtune.judge.stats import paired
from tailtune.predictors import registry
from tailtune.predictors.base import Classifier
from tailtune.predictors.cached import CachedEmbed
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.timing import time_rows
from tailtune.services import store
from tailtune.spec.prices import load_prices
from tailtune.stages.context import Context

FINE_TUNE = registry.FINE_TUNE.name


@dataclass(frozen=True)
class Scored:
    """One per candidate: its answers on test and what they are worth."""

    answers: list[Answer]
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
    expected = [row.label for row in test]
    folders = _folders(context, ticket["best_rung"], ticket["train"])
    scored = _candidates(context, test, ticket["best_rung"], folders)
    best = registry.title(ticket["best_rung"])
    comparison = _compare(scored, ticket["best_rung"], spec.resamples)
    latency = scored[FINE_TUNE].result.latency if FINE_TUNE in scored else None
    p99 = None if latency is None else latency.p99_ms
    decision = choose_winner(comparison, best, p99, case.spec.targets.p99_ms)
    winner = FINE_TUNE if decision.yes else ticket["best_rung"]
    other = None if comparison is None else (ticket["best_rung"] if decision.yes else FINE_TUNE)
    context.progress.say(f"winner on {len(test):,} test rows: {registry.title(winner)}; {decision.reason}")

    values = [answer.value for answer in scored[winner].answers]
    confidence = np.array([answer.confidence for answer in scored[winner].answers])
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
        per_class=per_class(expected, values, [a.value for a in scored[other].answers] if other else None),
        confusions=confusions(expected, values),
        calibration=calibration(confidence, scored[winner].score.right, spec.calibration_bins),
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
    predictor: Classifier,
    test: Sequence[Row],
    embed: CachedEmbed,
    timed: bool,
) -> Scored:
    spec = context.case.spec.evaluate
    prices = load_prices(context.project)
    core_hour = None if prices.cpu_core_hour_usd is None else float(prices.cpu_core_hour_usd)
    answers = predictor.answer([row.text for row in test])
    scored = score([row.label for row in test], answers, spec.resamples, spec.calibration_bins)
    latency = None
    if timed:
        embed.timing = True
        step = max(1, len(test) // spec.latency_rows)
        latency = time_rows(predictor, [row.text for row in test[::step][: spec.latency_rows]])
        embed.timing = False
    result = CandidateResult(
        name=name,
        title=registry.title(name),
        accuracy=scored.accuracy,
        macro_f1=scored.macro_f1,
        ece=scored.ece,
        latency=latency,
        usd_per_1000=None if latency is None else usd_per_1000(latency.mean_ms, core_hour),
        invalid_rows=scored.invalid_rows,
    )
    return Scored(answers, scored, result)


def _compare(scored: dict[str, Scored], best_rung: str, resamples: int) -> Paired | None:
    if FINE_TUNE not in scored:
        return None
    first, second = scored[FINE_TUNE].score.right, scored[best_rung].score.right
    return paired(first, second, (FINE_TUNE, best_rung), resamples)


def _write_failures(
    context: Context, test: Sequence[Row], scored: dict[str, Scored], winner: str, other: str | None
) -> int:
    """Every test row the winner got wrong, the most confident mistakes first."""
    wrong = [i for i, right in enumerate(scored[winner].score.right) if not right]
    wrong.sort(key=lambda i: -scored[winner].answers[i].confidence)
    lines = (
        {
            "origin": test[i].origin,
            "text": test[i].text,
            "expected": test[i].label,
            "answered": scored[winner].answers[i].value,
            "confidence": round(scored[winner].answers[i].confidence, 4),
            **({} if other is None else {f"{other}_answered": scored[other].answers[i].value}),
        }
        for i in wrong
    )
    return store.write_jsonl(context.paths.stage("evaluate") / "failures.jsonl", lines)
