"""What the reckoning of a retrain needs: accuracy then and now, requests a day, and what a retrain costs."""

from __future__ import annotations

from contextlib import closing

from tailtune.config.prices import load_prices
from tailtune.core.days import DAY_US, shown
from tailtune.core.errors import MissingInputError
from tailtune.core.figures import counted, usd
from tailtune.core.records import Estimate
from tailtune.core.reports import CostLine
from tailtune.judge.ledger import reckon
from tailtune.judge.retrain import AtStake, costs_of
from tailtune.lifecycle.context import Context
from tailtune.operations.accuracy import mean_score, over_days
from tailtune.operations.reference import reference_of
from tailtune.services.audits import Audits
from tailtune.services.mlflow import ledger as tracked
from tailtune.services.mlflow.registry import Version
from tailtune.services.monitored_days import MonitoredDays
from tailtune.services.outbox.store import Outbox
from tailtune.services.prediction_log.store import PredictionLog

_DAYS = 7
"""Newest whole days that requests and accuracy without labels are taken from."""
_AUDIT_DAYS = 31
"""An audit of longer ago says nothing about now."""
_NEVER_SERVED = "nothing is logged yet"


def at_stake(context: Context, version: Version | None, log: PredictionLog | None, today: int) -> AtStake:
    """What is known of a use case's served version, and what a retrain costs.

    Args:
        context: Of the retrain.
        version: That is served; None when there is none.
        log: What it answered; None where nothing was ever logged.
        today: Days since 1970-01-01 (UTC).

    Raises:
        ServiceError: The tracking store or the prediction log does not answer.
    """
    spec = context.case.spec
    then, now, by = _accuracy(context, version, log, today)
    requests, source = _requests(context, log, today)
    return AtStake(
        then=then,
        now=now,
        now_by=by,
        requests_per_day=requests,
        requests_from=source,
        error_usd=spec.value.error_usd,
        days=spec.retrain.next_chance_days,
        costs=_costs(context),
    )


def drift_since_us(context: Context, version: Version | None) -> int | None:
    """When the drift of a served version may have begun, a week before it was found; None where none is known.

    Raises:
        ServiceError: The database does not answer.
    """
    if version is None:
        return None
    with closing(Outbox(_database(context))) as outbox:
        troubles = outbox.troubles(context.case.name, most=0)
    own = (each for each in troubles if each.alert.cause == "drift" and each.alert.version == version.version)
    drift = next(own, None)
    return None if drift is None else drift.opened_us - _DAYS * DAY_US


def _accuracy(
    context: Context, version: Version | None, log: PredictionLog | None, today: int
) -> tuple[Estimate | None, Estimate | None, str]:
    """Accuracy at registration and now, and how that is known: an audit's before an estimate without labels."""
    if version is None:
        return None, None, "no version is registered"
    if log is None:
        return None, None, _NEVER_SERVED
    try:
        known = reference_of(context, version)
    except MissingInputError as error:
        return None, None, error.message
    measured = any(row.logged["answer"] is not None for row in known.rows)
    then = mean_score([row.score for row in known.rows]) if measured else None
    if then is None:
        return None, None, "the version's reference has no answer"
    now, by = _audited(context, version, today)
    if now is None:
        now, by = _without_labels(context, version, known.digest, then, today)
    return then, now, by


def _audited(context: Context, version: Version, today: int) -> tuple[Estimate | None, str]:
    with closing(Audits(_database(context))) as store:
        results = store.results(context.case.name, version.version)
    recent = [(audit, result) for audit, result in results if today - _AUDIT_DAYS <= audit.last_day <= today]
    if not recent:
        return None, ""
    audit, result = max(recent, key=lambda each: (each[0].last_day, each[1].judged_at))
    return result.accuracy, f"by an audit of {counted(result.labelled, 'row')} up to {shown(audit.last_day)}"


def _without_labels(
    context: Context, version: Version, reference: str, then: Estimate, today: int
) -> tuple[Estimate | None, str]:
    with closing(MonitoredDays(_database(context))) as store:
        days = store.kept(context.case.name, version.version, reference, today - _DAYS, today)
    now = over_days([each.figures for each in days], then)
    name = context.case.name
    if now is None:
        return None, f"no look at the last {_DAYS} days estimated it; tailtune monitor {name} --window {_DAYS}d"
    return now, f"estimated without labels over {counted(len(days), 'day')}"


def _requests(context: Context, log: PredictionLog | None, today: int) -> tuple[float | None, str]:
    """Requests a day: as declared, else as logged over the newest whole days, from the first one with requests on."""
    declared = context.case.spec.value.requests_per_day
    if declared is not None:
        return declared, "declared"
    of_days = [] if log is None else log.days(context.case.name)
    logged = [each for each in of_days if each.route != "shadow" and each.day < today]
    if not logged:
        return None, "no day is logged yet that is over"
    days = min(_DAYS, today - min(each.day for each in logged))
    rows = sum(each.rows for each in logged if each.day >= today - days)
    return rows / days, f"counted in the log over {counted(days, 'day')}"


def _costs(context: Context) -> tuple[CostLine, ...]:
    """What a retrain costs, by the ledger and the declared hours."""
    case, prices = context.case, load_prices(context.project)
    value = case.spec.value
    facts = tracked.facts(context.tracker, case.model, case.spec.metric)
    bills = reckon(case.name, case.spec.metric, facts, None).bills
    by_default = " (default price)" if "person_hour_usd" in prices.defaults else ""
    basis = f"{value.retrain_hours_per_change:g} h a retraining × {usd(prices.person_hour_usd)} an hour{by_default}"
    return costs_of(bills, value.retrain_hours_per_change, prices.person_hour_usd, basis)


def _database(context: Context) -> str:
    return context.settings.prediction_log_url(context.project)
