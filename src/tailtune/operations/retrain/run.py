"""Retrain a use case, if that is worth it.

facts, labels ──▶ judge.retrain.decide ──▶ workspace ── the life, with register's gate ──▶ a branch or files
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.days import DAY_US, shown
from tailtune.core.errors import BusyError, GateError, ServiceError, StageFailedError, TailTuneError
from tailtune.core.locks import alone
from tailtune.core.money import known_sum
from tailtune.core.private import private_folder
from tailtune.core.progress import Progress
from tailtune.core.reports import EvaluateReport, RegisterReport, ValidateReport
from tailtune.core.retrains import Because, ComparedCandidate, Push, RetrainDecision, RetrainOutcome
from tailtune.judge.retrain import Circumstances, decide, reckon
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.new_classes import expect_classes
from tailtune.operations.alerts import Alerts, open_alerts
from tailtune.operations.new_classes import DAYS, proposals_of
from tailtune.operations.retrain.facts import at_stake, drift_since_us
from tailtune.operations.retrain.labels import Gathered, gather
from tailtune.operations.retrain.push import make_up, planned, push
from tailtune.operations.retrain.workspace import Workspace, patiently
from tailtune.report.numbers import counted
from tailtune.report.retraining import failure_alert, next_step, outcome_alert, proposals_line, push_line
from tailtune.services import store, versions
from tailtune.services.mlflow import connect, registry
from tailtune.services.mlflow import ledger as tracked
from tailtune.services.mlflow.registry import CHAMPION, Version
from tailtune.services.prediction_log.opening import opened
from tailtune.services.retrains import EndedRetrain, Retrains
from tailtune.tasks.use_case import UseCase, load_use_case

_PATIENCE_S = 60.0
"""So long a database may be away when a retrain has ended."""


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
    with (
        alone(case.paths.retrain / "lock", _busy(use_case)),
        closing(Retrains(settings.prediction_log_url(paths))) as kept,
    ):
        context = _context(case, settings, progress)
        if dry_run:
            return Retrained(_gathered(context, kept, because)[1], None)
        try:
            _settle(context, kept)
            gathered, decision = _gathered(context, kept, because)
            if not decision.go:
                return Retrained(decision, None)
            progress.say(decision.reason)
            return Retrained(decision, _retrained(context, kept, gathered, decision))
        except TailTuneError as error:
            if because != "hand":  # who starts it by hand reads the error
                _tell_failed(context, because, error)
            raise


def push_owed(paths: Paths, settings: Settings, use_case: str, progress: Progress) -> list[Push]:
    """Push what earlier retrains could not. Returns what was tried, as it is now; empty where nothing was owed.

    Raises:
        BusyError: A retrain of the use case is at work; it does the same.
        ServiceError: The database does not answer.
    """
    case = load_use_case(paths, use_case)
    private_folder(case.paths.retrain)
    with (
        alone(case.paths.retrain / "lock", _busy(use_case)),
        closing(Retrains(settings.prediction_log_url(paths))) as kept,
    ):
        return make_up(_context(case, settings, progress), kept)


def _busy(use_case: str) -> BusyError:
    return BusyError(
        f"another retrain of {use_case} is at work in this checkout", "wait for it, then run the same command again"
    )


def _context(case: UseCase, settings: Settings, progress: Progress) -> Context:
    tracker = connect(settings.resolved_tracking_uri(case.paths.project), case)
    return Context(case, settings, progress, tracker, "retrain")


def _gathered(context: Context, kept: Retrains, because: Because) -> tuple[Gathered, RetrainDecision]:
    """What there is to learn from, and whether a retrain starts."""
    gathered, decision = _decided(context, because, kept.last(context.case.name))
    for note in gathered.notes:
        context.progress.say(note)
    return gathered, decision


def _decided(context: Context, because: Because, last: EndedRetrain | None) -> tuple[Gathered, RetrainDecision]:
    spec, now_us = context.case.spec, time.time_ns() // 1000
    there = registry.versions(context.tracker, context.case.model)
    served = next((version for version in there if spec.serve.alias in version.aliases), None)
    with opened(context.project, context.settings, context.case.name) as log:
        stake = at_stake(context, served, log, now_us // DAY_US)
        last_pin = None if last is None else last.outcome.data_hash
        gathered = gather(context, log, there[0] if there else None, last_pin)
    drifted_us = drift_since_us(context, served)
    around = Circumstances(
        new_labels=gathered.new_labels,
        min_new_labels=spec.retrain.min_new_labels,
        drift_labels=None if drifted_us is None else gathered.since(drifted_us),
        audited=gathered.audited,
        changes=gathered.changes,
        days_since_last=None if last is None else (now_us - last.ended_us) / DAY_US,
        cooldown_days=spec.retrain.cooldown_days,
    )
    return gathered, decide(because, reckon(stake), around)


def _retrained(context: Context, kept: Retrains, gathered: Gathered, decision: RetrainDecision) -> RetrainOutcome:
    began_us, name = time.time_ns() // 1000, context.case.name
    with open_alerts(context.project, context.settings) as alerts:  # a wrong address is said before work is done
        number = kept.begin(name, str(context.paths.retrain), decision.because, began_us)
        outcome = _lived(context, gathered, decision, began_us)
        ended = EndedRetrain(number, time.time_ns() // 1000, outcome)
        # An hour's work is written down also where the database is being restarted. What follows is made up for,
        # whatever cuts it off.
        patiently(lambda: kept.end(number, ended.ended_us, outcome), ServiceError, _PATIENCE_S)
        outcome = push(context, kept, ended)
        _tell(context, alerts, replace(ended, outcome=outcome))
        alerts.clear(context.case, None, "failed", ended.ended_us, "a retrain has come to its end")
        for channel, reason in alerts.deliver().failed.items():
            context.progress.say(f"{channel} did not take the outcome ({reason}); it is sent later")
    return outcome


def _settle(context: Context, kept: Retrains) -> None:
    """Make up for what earlier retrains owe: pushes that failed, and an outcome that a kill kept from people."""
    for each in make_up(context, kept):
        context.progress.say(push_line(each))
    last = kept.last(context.case.name)
    if last is not None:
        with open_alerts(context.project, context.settings) as alerts:
            _tell(context, alerts, last)


def _tell(context: Context, alerts: Alerts, ended: EndedRetrain) -> None:
    """Write the outcome down for people, once."""
    outcome = ended.outcome
    alerts.record_outcome(context.case, outcome_alert(outcome, ended.ended_us, next_step(outcome)))


def _tell_failed(context: Context, because: Because, error: TailTuneError) -> None:
    """Write a failure down for people, and send it; as long as retrains go on to fail it is the same trouble."""
    alert = failure_alert(context.case.name, because, error, time.time_ns() // 1000)
    try:
        with open_alerts(context.project, context.settings) as alerts:
            alerts.raise_alert(context.case, alert)
            failed = alerts.deliver().failed
    except TailTuneError as trouble:
        failed = {"the outbox": trouble.message}
    for channel, reason in failed.items():
        context.progress.say(f"{channel} did not take the failure ({reason})")


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
        proposals=_missing_classes(context, before, began_us),
        use_case=name,
        measure=context.case.spec.metric,
        state="stopped",
        decision=decision,
        champion_before=None if before is None else before.version,
        verdict_before="" if before is None else before.tags.get("verdict", ""),
        winner_before="" if before is None else before.tags.get("winner", ""),
        why=_closed_gate(workspace) if code else "",
        cost_usd=_cost(context, began_us // 1000),
        data_hash=versions.data_hash(workspace.scratch.paths),
        notes=gathered.notes,
    )
    if not code:
        outcome = _registered(workspace, outcome, before, known)
        message = f"Retrain {name}: v{outcome.version}, {outcome.state}"
        outcome = _brought_back(workspace, outcome, message, shown(began_us // DAY_US))
    return outcome.model_copy(update={"pushes": planned(context, outcome)})


def _closed_gate(workspace: Workspace) -> str:
    """Which gate stopped the life, and why, in a line."""
    with suppress(TailTuneError):
        report = store.read_report(workspace.paths.report("validate"), ValidateReport, workspace.context.case.name)
        if failed := [each for each in report.expectations if not each.passed]:
            named = "; ".join(f"{each.subject}: {each.meaning}" for each in failed[:3])
            return f"validate: {len(failed)} of {counted(len(report.expectations), 'expectation')} failed: {named}"
    return "a gate of the life has closed"


def _brought_back(workspace: Workspace, outcome: RetrainOutcome, message: str, day: str) -> RetrainOutcome:
    """The outcome with what changed; where there is no room for that, the version is registered all the same."""
    try:
        result, commit = workspace.bring_back(message, day)
    except (ServiceError, OSError) as error:
        place = workspace.context.project.shown(workspace.scratch.paths.root)
        note = f"what changed did not come back, and is in {place} until the next retrain: {error}"
        return outcome.model_copy(update={"notes": (*outcome.notes, note.partition("\n")[0])})
    return outcome.model_copy(update={"result": result, "commit": commit})


def _missing_classes(context: Context, served: Version | None, now_us: int) -> str:
    """Which classes nobody has labelled, in a sentence: a retrain goes on without them."""
    if served is None:
        return ""
    try:
        expect_classes(context.case)
        with opened(context.project, context.settings, context.case.name) as log:
            return "" if log is None else proposals_line(proposals_of(context, served, log, DAYS, now_us))
    except TailTuneError as error:
        context.progress.say(f"no look for new classes: {error.message}")
        return ""


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
            "winner_after": evaluated.winner,
            **_verdict(evaluated),
        }
    )


def _verdict(evaluated: EvaluateReport) -> dict[str, Any]:
    """The verdict after the test, and the candidates' figures that explain it."""
    final = evaluated.final
    economics = None if final is None else final.economics
    dollars = {} if economics is None else {each.name: each.total_usd for each in economics.candidates}
    return {
        "verdict_after": "" if final is None else final.verdict,
        "verdict_why": "" if final is None else final.reason,
        "horizon_months": None if economics is None else economics.horizon_months,
        "candidates": tuple(
            ComparedCandidate(name=each.name, title=each.title, quality=each.quality, total_usd=dollars.get(each.name))
            for each in evaluated.candidates
            if not each.ignores_text
        ),
    }


def _cost(context: Context, since_ms: int) -> float | None:
    """Machine and bought answers of the stages that ended since; None when one of them is not known."""
    facts = tracked.facts(context.tracker, context.case.model, context.case.spec.metric)
    return known_sum(
        entry.usd
        for entry in facts.entries
        if entry.at_ms >= since_ms and entry.category in ("curation", "evaluation", "training")
    )
