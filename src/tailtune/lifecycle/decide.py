"""Take the decision before training money is spent, and write the ticket that training obeys."""

from __future__ import annotations

from tailtune.core.reports import DecideReport
from tailtune.judge.questions import questions
from tailtune.judge.verdict import may_train, verdict
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.weighing import gather, look, targets_of, training_cost
from tailtune.services import store


def run(context: Context) -> DecideReport:
    """Weigh the rungs, prompted ones among them, against the targets and against what a fine-tune would cost.

    Raises:
        MissingInputError: A stage before has not run.
    """
    case, spec = context.case, context.case.spec
    seen = look(context)
    evidence, digest = gather(context, training_cost(context), seen)
    targets = targets_of(spec.targets)
    outcome = verdict(evidence, targets, spec.train.max_cost_usd)
    train = may_train(outcome, spec.train.when)
    # Nothing that changes from run to run may stand in the ticket: a new ticket makes training stale.
    ticket = {"train": train.yes, "best_rung": outcome.best.name, "rows_digest": digest}
    store.write_json(context.paths.ticket, ticket)
    provisional = bool(evidence.unmeasured)
    context.progress.say(f"{outcome.verdict}{' (provisional)' if provisional else ''}: {outcome.reason}")
    return DecideReport(
        use_case=case.name,
        stage="decide",
        rows_digest=digest,
        verdict=outcome.verdict,
        reason=outcome.reason,
        provisional=provisional,
        unmeasured=evidence.unmeasured,
        would_change=outcome.would_change,
        questions=questions(evidence, outcome, targets),
        best_rung=outcome.best.name,
        metric=spec.metric,
        target=spec.targets.quality,
        train=train,
        estimated_train_usd=evidence.estimated_usd,
        economics=outcome.economics,
        surroundings=seen,
    )
