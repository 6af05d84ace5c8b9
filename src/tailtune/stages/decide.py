"""Take the decision before training money is spent, and write the ticket that training obeys."""

from __future__ import annotations

from tailtune import tasks
from tailtune.core.reports import DecideReport, LadderReport
from tailtune.judge import decide
from tailtune.judge.costs import training_usd
from tailtune.judge.questions import questions
from tailtune.services import store
from tailtune.spec.prices import load_prices
from tailtune.stages.context import Context

# A training step costs about this many encodings: forward, backward, and the adapter's own work (measured 3.0-4.5).
TRAINING_PER_ENCODING = 4.0


def run(context: Context) -> DecideReport:
    """Weigh the ladder against the targets.

    Raises:
        MissingInputError: The ladder has not run.
    """
    case, spec = context.case, context.case.spec
    ladder = store.read_report(context.paths.report("ladder"), LadderReport, case.name)
    rows = min(ladder.train_rows, spec.train.max_rows)
    pace = ladder.encode_rows_per_s / TRAINING_PER_ENCODING
    estimated = training_usd(rows, spec.train.epochs, pace, load_prices(context.project).machine_hour_usd)
    narrow = tasks.of(case).narrow
    evidence = decide.Evidence(ladder.rungs, ladder.curve, ladder.train_rows, estimated, ladder.unmeasured, narrow)
    outcome = decide.verdict(evidence, spec.targets, spec.train)
    train = decide.may_train(outcome, spec.train)
    # Nothing that changes from run to run may stand in the ticket: a new ticket makes training stale.
    ticket = {"train": train.yes, "best_rung": outcome.best.name, "rows_digest": ladder.rows_digest}
    store.write_json(context.paths.ticket, ticket)
    context.progress.say(f"{outcome.verdict}{' (provisional)' if ladder.unmeasured else ''}: {outcome.reason}")
    return DecideReport(
        use_case=case.name,
        stage="decide",
        rows_digest=ladder.rows_digest,
        verdict=outcome.verdict,
        reason=outcome.reason,
        provisional=bool(ladder.unmeasured),
        unmeasured=ladder.unmeasured,
        would_change=outcome.would_change,
        questions=questions(evidence, outcome, spec.targets),
        best_rung=outcome.best.name,
        metric=spec.metric,
        target=spec.targets.quality,
        train=train,
        estimated_train_usd=estimated,
    )
