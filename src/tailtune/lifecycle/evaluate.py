"""Open test once: every candidate on the same rows, fine-tune and best cheaper rung paired by row, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from tailtune.core.records import Row
from tailtune.core.reports import DecideReport, EvaluateReport, Paired
from tailtune.judge.final import OnTest, final_verdict
from tailtune.lifecycle.candidates import Scored, folders, score
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import require_unchanged_weights
from tailtune.lifecycle.weighing import gather, look, targets_of
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.table import FINE_TUNE


def run(context: Context) -> EvaluateReport:
    """Score the candidates on test, name the winner and give the verdict.

    Raises:
        MissingInputError: A stage before this one has not run, or the weights of a local model changed since.
        TailTuneError: The best rung is prompted and its answers on test cost more than may be spent.
    """
    case, paths = context.case, context.paths
    ticket = store.read_json(paths.ticket, "evaluation", f"tailtune run {case.name}")
    test = store.read_rows(paths.rows("test"), "test", case.name)
    made: dict[str, Path | str] = {"decision": ticket["rows_digest"], "ladder": paths.stage("ladder")}
    if ticket["train"]:
        made["adapter"] = paths.stage("train")
    store.require_same_rows(case.name, paths.passed, test, **made)
    require_unchanged_weights(context)
    decided = store.read_report(paths.report("decide"), DecideReport, case.name)
    # Git and folders may say something else by now: one verdict is about one set of facts.
    evidence, _ = gather(context, decided.estimated_train_usd, decided.surroundings or look(context))
    best = ticket["best_rung"]
    scored = score(context, test, best, folders(context, best, ticket["train"]))
    tested = _tested(context, scored, best)
    decision, final = final_verdict(tested, decided, evidence, targets_of(case.spec.targets))
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
            "usd_spent": scored[best].spent_usd,
        }
    )


def _tested(context: Context, scored: Mapping[str, Scored], best: str) -> OnTest:
    rung, tuned = scored[best], scored.get(FINE_TUNE)
    return OnTest(
        rung=rung.result,
        fine_tune=None if tuned is None else tuned.result,
        comparison=None if tuned is None else _compare(context, tuned, rung, best),
        price=rung.price,
    )


def _compare(context: Context, tuned: Scored, rung: Scored, best: str) -> Paired:
    resamples = context.case.spec.evaluate.resamples
    return context.case.task.compare(tuned.score, rung.score, (FINE_TUNE, best), resamples)


def _report(
    context: Context, test: Sequence[Row], scored: Mapping[str, Scored], winner: str, other: str | None
) -> EvaluateReport:
    """The figures of all, the winner's in detail; the answers are left beside it."""
    case, won = context.case, scored[winner]
    beside = None if other is None else scored[other].answers
    details = case.task.details(test, won.answers, beside, case.spec.evaluate.calibration_bins)
    answered = {name: [answer.value for answer in item.answers] for name, item in scored.items()}
    store.write_answers(context.paths.stage("evaluate") / "test_answers.jsonl", test, answered)
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
    return store.write_jsonl(context.paths.stage("evaluate") / "failures.jsonl", lines)
