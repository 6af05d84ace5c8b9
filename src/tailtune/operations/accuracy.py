"""How often a version is right now: estimated without labels, from feedback, and from audits."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np

from tailtune.core.figures import counted
from tailtune.core.monitored import AccuracyNow, DayFigures
from tailtune.core.records import Estimate
from tailtune.judge.counted import Counted
from tailtune.judge.estimated_accuracy import CANNOT_SEE, EstimatedAccuracy
from tailtune.judge.intervals import interval
from tailtune.judge.shares import share_of
from tailtune.lifecycle.context import Context
from tailtune.operations.reference import KnownReference
from tailtune.operations.windows import Window
from tailtune.report import audited
from tailtune.services.audits import Audits
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.tasks.base import KnownRow

_FEEDBACK = (
    "{rows} rows whose right answer people sent; they send one where they are not content, so this is a low end rather "
    "than an estimate"
)
_NO_AUDIT = "none of these days; to have one: tailtune audit {name} --rows 50 --window {window}"
_RECENT_DAYS = 7
_NO_FEEDBACK = "nobody has sent a right answer for a row of this window"


def accuracy_now(
    context: Context,
    version: Version,
    known: KnownReference,
    rows: Sequence[dict[str, Any]],
    log: PredictionLog | None,
    window: Window,
) -> tuple[AccuracyNow, ...]:
    """Every way of knowing, whether or not it could be used."""
    return (
        _without_labels(context, known, rows),
        _by_feedback(context, version, log, window),
        _by_audit(context, version, log, window),
    )


def estimate_of(context: Context, known: KnownReference, rows: Sequence[dict[str, Any]]) -> Estimate | None:
    """A day's accuracy, estimated without labels; None where it cannot be."""
    return _expected(context, known, rows).accuracy


def mean_score(scores: Sequence[float]) -> Estimate | None:
    """Mean score of labelled rows with its interval; None without any."""
    if not scores:
        return None
    if set(scores) <= {0.0, 1.0}:
        return share_of(int(sum(scores)), len(scores))
    return interval(Counted.ratio(np.array(scores), np.ones(len(scores))))


def over_days(days: Sequence[DayFigures], then: Estimate) -> Estimate | None:
    """Accuracy estimated without labels over several days; None where no day has an estimate.

    One night is a wide interval, and one night in many is low by chance. What the reference does not know is the
    same every night, so that part of the interval does not narrow.

    Args:
        days: Of one version.
        then: Its accuracy on the reference.
    """
    estimated = [(each.rows_read, each.accuracy) for each in days if each.accuracy is not None]
    rows = sum(read for read, _ in estimated)
    if not rows:
        return None
    value, chance = 0.0, 0.0
    shared = ((then.high - then.low) / 2) ** 2
    for read, accuracy in estimated:
        weight = read / rows
        value += weight * accuracy.value
        chance += weight**2 * max(((accuracy.high - accuracy.low) / 2) ** 2 - shared, 0.0)
    half = math.sqrt(chance + shared)
    return Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half), rows=rows)


def _expected(context: Context, known: KnownReference, rows: Sequence[dict[str, Any]]) -> EstimatedAccuracy:
    then = [KnownRow(row.logged["likeliest"] or (), row.label, row.score) for row in known.rows]
    return context.case.task.expected_accuracy(then, [row["likeliest"] or () for row in rows])


def _without_labels(context: Context, known: KnownReference, rows: Sequence[dict[str, Any]]) -> AccuracyNow:
    found = _expected(context, known, rows)
    if found.accuracy is None:
        return AccuracyNow(by="no labels", accuracy=None, note=found.reason)
    left_out = f"; {counted(found.without, 'row')} without a probability left out" if found.without else ""
    return AccuracyNow(by="no labels", accuracy=found.accuracy, note=CANNOT_SEE + left_out)


def _by_feedback(context: Context, version: Version, log: PredictionLog | None, window: Window) -> AccuracyNow:
    judged = [] if log is None else log.judged(context.case.name, version.version, window.since_us, window.until_us)
    if not judged:
        return AccuracyNow(by="feedback", accuracy=None, note=_NO_FEEDBACK)
    right = sum(same(label, answer) for label, answer, _ in judged)
    return AccuracyNow(by="feedback", accuracy=share_of(right, len(judged)), note=_FEEDBACK.format(rows=len(judged)))


def _by_audit(context: Context, version: Version, log: PredictionLog | None, window: Window) -> AccuracyNow:
    """The last audit of the version that is about the window's days, or ended shortly before."""
    if log is None:
        return AccuracyNow(by="audit", accuracy=None, note="audits are about logged rows, not about those of a file")
    with closing(Audits(context.settings.prediction_log_url(context.project))) as store:
        there = [
            each
            for each in store.results(context.case.name, version.version)
            if window.last - _RECENT_DAYS <= each[0].last_day and each[0].first_day <= window.last
        ]
    if not there:
        note = _NO_AUDIT.format(name=context.case.name, window=window.written)
        return AccuracyNow(by="audit", accuracy=None, note=note)
    audit, result = max(there, key=lambda each: (each[0].last_day, each[1].judged_at))
    return AccuracyNow(by="audit", accuracy=result.accuracy, note=audited.note(audit, result))


def same(label: str, answer: str | None) -> bool:
    """Whether an answer is the right one; of objects, whatever the order of their fields."""
    if answer is None or label == answer:
        return label == answer
    first, second = _object(label), _object(answer)
    return first is not None and first == second


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
