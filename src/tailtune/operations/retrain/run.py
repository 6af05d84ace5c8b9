"""Retrain a use case, if that is worth it.

facts, labels ──▶ judge.retrain.decide ──▶ workspace ── the life, with register's gate ──▶ a branch or files
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.days import DAY_US, shown
from tailtune.core.errors import BusyError, GateError, StageFailedError
from tailtune.core.locks import alone
from tailtune.core.money import known_sum
from tailtune.core.private import private_folder
from tailtune.core.progress import Progress
from tailtune.core.reports import EvaluateReport, RegisterReport
from tailtune.core.retrains import Because, RetrainDecision, RetrainOutcome
from tailtune.judge.retrain import Circumstances, decide, reckon
from tailtune.lifecycle.context import Context
from tailtune.operations.alerts import open_alerts
from tailtune.operations.retrain.facts import at_stake
from tailtune.operations.retrain.labels import Gathered, gather
from tailtune.operations.retrain.workspace import Workspace
from tailtune.report.retraining import next_step, outcome_alert
from tailtune.services import store, versions
from tailtune.services.mlflow import connect, registry
from tailtune.services.mlflow import ledger as tracked
from tailtune.services.mlflow.registry import CHAMPION, Version
from tailtune.services.prediction_log.opening import opened
from tailtune.services.retrains import EndedRetrain, Retrains
from tailtune.tasks.use_case import load_use_case


@dataclass(frozen=True)
class Retrained:
    """One per way in.

    Attributes:
        decision: Whether it started, with the reckoning.
        outcome: What came of it; None where it did not start.
    """

    decision: RetrainDecision
    outcome: RetrainOutcome | None


def retrain(
    paths: Paths, settings: Settings, use_case: str, because: Because, progress: Progress, dry_run: bool = False
) -> Retrained:
    """Retrain a use case if that is worth it; by hand in any case.

    Args:
        paths: The checkout; it is not changed.
        settings: Where stores are.
        use_case: Which.
        because: The way in.
        progress: Told of each step.
        dry_run: Only decide.

    Raises:
        BusyError: Another retrain of the use case is at work.
        UsageError: The use case is not committed, or no rows are pinned.
        DataError: A file with labelled rows has faults.
        ServiceError: A store, git or DVC failed.
        StageFailedError: A stage failed in another way than by its gate; the next way in may try again.
    """
    case = load_use_case(paths, use_case)
    private_folder(case.paths.retrain)
    busy = BusyError(
        f"another retrain of {use_case} is at work in this checkout", "wait for it, then run the same command again"
    )
    with alone(case.paths.retrain / "lock", busy), closing(Retrains(settings.prediction_log_url(paths))) as kept:
        context = Context(case, settings, progress, connect(settings.resolved_tracking_uri(paths), case), "retrain")
        last = kept.last(use_case)
        gathered, decision = _decided(context, because, last)
        for note in gathered.notes:
            progress.say(note)
        if dry_run or not decision.go:
            return Retrained(decision, None)
        progress.say(decision.reason)
        return Retrained(decision, _retrained(context, kept, gathered, decision))


def _decided(context: Context, because: Because, last: EndedRetrain | None) -> tuple[Gathered, RetrainDecision]:
    spec, now_us = context.case.spec, time.time_ns() // 1000
    there = registry.versions(context.tracker, context.case.model)
    served = next((version for version in there if spec.serve.alias in version.aliases), None)
    with opened(context.project, context.settings, context.case.name) as log:
        stake = at_stake(context, served, log, now_us // DAY_US)
        last_pin = None if last is None else last.outcome.data_hash
        gathered = gather(context, log, there[0] if there else None, last_pin)
    around = Circumstances(
        new_labels=gathered.new_labels,
        min_new_labels=spec.retrain.min_new_labels,
        changes=gathered.changes,
        days_since_last=None if last is None else max(0, now_us - last.ended_us) / DAY_US,
        cooldown_days=spec.retrain.cooldown_days,
    )
    return gathered, decide(because, reckon(stake), around)


def _retrained(context: Context, kept: Retrains, gathered: Gathered, decision: RetrainDecision) -> RetrainOutcome:
    began_us, name = time.time_ns() // 1000, context.case.name
    with open_alerts(context.project, context.settings) as alerts:  # a wrong address is said before work is done
        number = kept.begin(name, str(context.paths.retrain), decision.because, began_us)
        outcome = _lived(context, gathered, decision, began_us)
        now_us = time.time_ns() // 1000
        alerts.record_outcome(context.case, outcome_alert(outcome, now_us, next_step(outcome)))
        kept.end(number, now_us, outcome)
        for channel, reason in alerts.deliver().failed.items():
            context.progress.say(f"{channel} did not take the outcome ({reason}); it is sent later")
    return outcome


def _lived(context: Context, gathered: Gathered, decision: RetrainDecision, began_us: int) -> RetrainOutcome:
    name = context.case.name
    before = registry.holder(context.tracker, context.case.model, CHAMPION)
    known = {version.version for version in registry.versions(context.tracker, context.case.model)}
    workspace = Workspace.make(context, gathered.feedback)
    context.progress.say(f"working in {context.project.shown(workspace.scratch.paths.root)}")
    code = workspace.run_life()
    if code not in (0, GateError.exit_code):  # no cool-down: what failed may be tried again
        raise StageFailedError(f"retrain@{name}", code)
    outcome = RetrainOutcome(
        use_case=name,
        measure=context.case.spec.metric,
        state="stopped",
        decision=decision,
        champion_before=None if before is None else before.version,
        verdict_before="" if before is None else before.tags.get("verdict", ""),
        why="a gate of the life has closed",
        cost_usd=_cost(context, began_us // 1000),
        data_hash=versions.data_hash(workspace.scratch.paths),
        notes=gathered.notes,
    )
    if not code:
        outcome = _registered(workspace, outcome, before, known)
        message = f"Retrain {name}: v{outcome.version}, {outcome.state}"
        result = workspace.bring_back(message, shown(began_us // DAY_US))
        outcome = outcome.model_copy(update={"result": result})
    return outcome


def _registered(
    workspace: Workspace, outcome: RetrainOutcome, before: Version | None, known: set[str]
) -> RetrainOutcome:
    """The outcome with what the life's reports say."""
    paths, name = workspace.paths, outcome.use_case
    registered = store.read_report(paths.report("register"), RegisterReport, name)
    evaluated = store.read_report(paths.report("evaluate"), EvaluateReport, name)
    won = next(candidate for candidate in evaluated.candidates if candidate.name == evaluated.winner)
    is_champion = registered.champion_version == registered.version
    state = "same version" if registered.version in known else "promoted" if is_champion else "not promoted"
    if before is not None and is_champion and before.version != registered.version:
        state = "promoted"
    return outcome.model_copy(
        update={
            "state": state,
            "version": registered.version,
            "after": won.metrics.get(outcome.measure),
            "comparison": registered.comparison,
            "why": registered.promotion.reason,
            "verdict_after": "" if evaluated.final is None else evaluated.final.verdict,
        }
    )


def _cost(context: Context, since_ms: int) -> float | None:
    """Machine and bought answers of the stages that ended since; None when one of them is not known."""
    facts = tracked.facts(context.tracker, context.case.model, context.case.spec.metric)
    return known_sum(
        entry.usd
        for entry in facts.entries
        if entry.at_ms >= since_ms and entry.category in ("curation", "evaluation", "training")
    )
