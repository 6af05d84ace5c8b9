"""Take the decision before training money is spent, and write the ticket that training obeys."""

from __future__ import annotations

from tailtune.core.reports import DecideReport, LadderReport
from tailtune.judge.ceiling import ceiling_note
from tailtune.judge.constraints import needed
from tailtune.judge.questions import questions
from tailtune.judge.verdict import may_train, verdict
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import evidence, targets_of, training_cost
from tailtune.services import store


def run(context: Context) -> DecideReport:
    """Weigh the rungs, prompted ones among them, against the targets and against what a fine-tune would cost.

    Raises:
        MissingInputError: A stage before has not run.
    """
    case, spec = context.case, context.case.spec
    ladder, seen = context.inputs.report(LadderReport), context.inputs.surroundings
    facts = evidence(context, training_cost(context), seen)
    targets = targets_of(spec.targets, ladder)
    outcome = verdict(facts, targets, spec.train.max_cost_usd)
    train = may_train(outcome, spec.train.when, facts.estimated_usd, spec.train.experiment_usd)
    # The ticket holds nothing that changes from run to run: a new ticket makes training stale.
    ticket = {"train": train.yes, "best_rung": outcome.best.name, "rows_digest": ladder.rows_digest}
    store.write_json(context.out / "ticket.json", ticket)
    ceiling = ceiling_note(facts.labels, targets.quality, needed(targets))
    provisional = f" (provisional: {facts.provisional})" if facts.provisional else ""
    context.progress.say(f"{outcome.verdict}{provisional}: {outcome.reason}")
    if ceiling:
        context.progress.say(ceiling)
    return DecideReport(
        use_case=case.name,
        stage="decide",
        rows_digest=ladder.rows_digest,
        verdict=outcome.verdict,
        reason=outcome.reason,
        provisional=bool(facts.provisional),
        why_provisional=facts.provisional,
        unmeasured=facts.unmeasured,
        would_change=outcome.would_change,
        questions=questions(facts, outcome, targets),
        best_rung=outcome.best.name,
        metric=spec.metric,
        target=spec.targets.quality,
        guards=targets.guards,
        train=train,
        estimated_train_usd=facts.estimated_usd,
        economics=outcome.economics,
        surroundings=seen,
        ceiling=ceiling,
    )
