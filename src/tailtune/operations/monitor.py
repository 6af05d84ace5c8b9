"""A look at what a version answered: what moved, what that probably did to accuracy, and what cannot be seen.

    log ── a day's rows ──▶ sample ──▶ judge.drift.count ──▶ kept days ──▶ judge.drift.look ──▶ MonitorReport

Each day's rows are counted once and their counts kept, so that a nightly look costs one night's rows, a day that is
looked at again replaces itself, and what the log forgets stays counted. A day that was not over when it was looked at
is counted to its end by the next look at a later one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tailtune.config.monitoring import MonitorSpec
from tailtune.core.days import DAY_US, number_of, shown
from tailtune.core.errors import UsageError
from tailtune.core.logged import rows_of_others
from tailtune.core.monitored import (
    ANSWER,
    LATENCY,
    LOG,
    AccuracyNow,
    DayCounts,
    DayFigures,
    Finding,
    MonitorReport,
    Sample,
    ShownRow,
    WatchedDay,
)
from tailtune.core.records import Estimate
from tailtune.judge import drift
from tailtune.judge.words import WordCounts, moved_words
from tailtune.lifecycle.context import Context
from tailtune.operations.accuracy import accuracy_now, estimate_of, mean_score
from tailtune.operations.reference import KnownReference, folder_of, reference_of
from tailtune.operations.sample import READ, sample_of
from tailtune.operations.traffic import make_traffic
from tailtune.operations.windows import Window
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version
from tailtune.services.monitored_days import KeptDay, MonitoredDays
from tailtune.services.prediction_log.opening import opened
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.tasks.answerer import Answerer

ROWS_A_DAY = 20_000
"""Rows of a day that are looked at; of more, so many are drawn by chance."""
ROWS_A_LOOK = 500_000
"""Rows of a window that are looked at: they are in memory together, two gibibytes of them."""
_GROWTH = 5
"""Times as many rows as are looked at of a day, up to which one that grows beyond what was expected is read."""
_REMEMBERED_DAYS = 56
_CATCH_UP_DAYS = 31
_BACK_DAYS, _SPEAKS = 7, 0.05
_SHOWN_ROWS, _SHOWN_FINDINGS, _EXAMPLES = 5_000, 40, 6
_COLUMNS = (*READ, "at_us", "latency_ms", "usd", "request_id", "row")
_SLOW_SHARE = 0.01
"""What p99 means: at most one row in a hundred is slower."""
_UNANSWERED_SHARE = 0.01

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Watched:
    """One per look: the version, what it was like, and the rules.

    Attributes:
        context: Of the look.
        version: Whose rows are looked at.
        known: Its reference.
        reference: The same, measured.
    """

    context: Context
    version: Version
    known: KnownReference
    reference: drift.Reference

    @classmethod
    def of(cls, context: Context, which: str) -> Watched:
        """A version and its reference.

        Raises:
            UsageError: There is no such version.
            MissingInputError: It has no reference, and none can be made here.
            ServiceError: The tracking store does not answer.
        """
        spec = context.case.spec
        version = registry.get(context.tracker, context.case.model, which)
        known = reference_of(context, version)
        limits = [drift.Limit(ANSWER, _UNANSWERED_SHARE)]
        if spec.targets.p99_ms is not None:
            limits.append(drift.Limit(LATENCY, _SLOW_SHARE, spec.targets.p99_ms))
        reference = drift.Reference.of(known.sample, spec.monitor.tolerance, limits)
        return cls(context, version, known, reference)

    def first_seen(self, log: PredictionLog, store: MonitoredDays, until_us: int) -> Watched:
        """The same; a version that replaced another and that nobody has looked at is compared with what was asked then.

        Raises:
            ServiceError: The tracking store or the prediction log does not answer.
        """
        name, version = self.context.case.name, self.version
        if self.known.traffic or store.is_known(name, version.version):
            return self
        own = [
            each.day
            for each in log.days(name, until_us - _CATCH_UP_DAYS * DAY_US, until_us)
            if each.is_of(version.version)
        ]
        if not own or not make_traffic(self.context, version, self.known.held_out, log, min(own)):
            return self
        return Watched.of(self.context, version.version)

    @property
    def spec(self) -> MonitorSpec:
        """What is declared of the monitor."""
        return self.context.case.spec.monitor


def look_at_log(context: Context, which: str, window: Window) -> MonitorReport:
    """Look at the rows that a version answered in a window, as the prediction log has them.

    Days before the window that nobody has looked at yet are counted too, so that a monitor that was away loses none.

    Args:
        context: The use case, its settings, a way to show progress, its tracker.
        which: Alias or number of the version.
        window: Days that are over, or the one that is not.

    Raises:
        UsageError: There is no such version, or its rows were never logged.
        MissingInputError: It has no reference, and none can be made here.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    context.progress.at(0, 1, "fetching what the version was like")
    watched = Watched.of(context, which)
    use_case, version = context.case.name, watched.version.version
    paths, settings = context.project, context.settings
    with opened(paths, settings, use_case) as log:
        if log is None:
            raise UsageError(f"{use_case}: nothing is logged yet", f"tailtune serve {use_case}")
        with closing(MonitoredDays(settings.prediction_log_url(paths))) as store:
            watched = watched.first_seen(log, store, window.until_us)
            known = store.kept(use_case, version, watched.known.digest, window.first - _REMEMBERED_DAYS, _today())
            kept = {each.counts.day: each for each in known}
            logged = log.days(use_case, _first_to_count(window, kept) * DAY_US, window.until_us)
            totals = {each.day: each.rows for each in logged if each.is_of(version)}
            rows = _count_days(watched, window, log, store, totals, kept)
            days = sorted(kept.values(), key=_day)
            seen = _weighed(watched, window, store, days)
        others = rows_of_others((each for each in logged if each.day >= window.first), version)
        lost = sum(n for day, n in log.not_logged(use_case, window.since_us).items() if day <= window.last)
        now = accuracy_now(watched.context, watched.version, watched.known, rows, log, window)
    return _report(watched, window, rows, days, seen, now, others, lost)


def _count_days(
    watched: Watched,
    window: Window,
    log: PredictionLog,
    store: MonitoredDays,
    totals: Mapping[int, int],
    kept: dict[int, KeptDay],
) -> Rows:
    """Count the days that were not counted, or have more rows than were counted; returns the window's rows.

    Args:
        watched: The version.
        window: The window.
        log: Where rows are.
        store: Where counted days are kept.
        totals: Day → the version's rows in the log.
        kept: Day → as it was counted before; brought up to date.
    """
    rows: Rows = []
    fresh: list[KeptDay] = []
    to_count = sorted({*totals, *range(window.first, window.last + 1), *_unfinished(window, kept)})
    for place, day in enumerate(to_count):
        watched.context.progress.at(place, len(to_count), f"looking at {shown(day)}")
        total, is_over = totals.get(day, 0), window.is_over or day < window.last
        is_new = _has_more(kept.get(day), total, is_over)
        if not is_new and day < window.first:
            continue
        every = _every(day, total, is_over, window, kept)
        of_day = _rows_of(log, watched, day, every)
        if is_new:
            before = [each.counts for each in kept.values()]
            kept[day] = _counted(watched, day, of_day, max(total, len(of_day)), before, every, is_over)
            fresh.append(kept[day])
        if day >= window.first:
            rows += of_day
    store.keep(watched.context.case.name, watched.version.version, watched.known.digest, fresh)
    return rows


def _has_more(before: KeptDay | None, total: int, is_over: bool) -> bool:
    """Whether a day has to be counted: what the log has forgotten stays counted."""
    if before is None or total > before.figures.rows:
        return True
    return is_over and not before.figures.is_over and total == before.figures.rows


def _every(day: int, total: int, is_over: bool, window: Window, kept: Mapping[int, KeptDay]) -> int:
    """One row in so many is looked at.

    Of a day that grows always the same rows, and more: so as many are expected as in the week before. Only where it has
    grown far beyond that, fewer are drawn, and what was seen of it is replaced.
    """
    most, before = min(ROWS_A_DAY, ROWS_A_LOOK // window.days), kept.get(day)
    if before is not None and not before.figures.is_over and total <= _GROWTH * most * before.figures.every:
        return before.figures.every
    week = (kept[each].figures.rows for each in range(day - 7, day) if each in kept)
    expected = total if is_over else max(total, *week, 0)
    return max(1, math.ceil(expected / most))


def _weighed(watched: Watched, window: Window, store: MonitoredDays, days: Sequence[KeptDay]) -> drift.Look:
    """All evidence until now; gathered anew where drift has been over for a week of days that are over."""
    use_case, version = watched.context.case.name, watched.version.version
    seen = _seen(watched, window, days, store.restarted(use_case, version))
    over = [each for each in days if each.figures.is_over]
    if window.last < days[-1].counts.day or not over or not _is_back(watched, seen, over):
        return seen
    week = over[-1].counts.day - _BACK_DAYS + 1
    store.restart(use_case, version, week)
    return _seen(watched, window, days, week)


def look_at_file(context: Context, which: str, texts: Iterable[str], source: str) -> MonitorReport:
    """Look at texts of a file, which the version answers now; they add nothing to the evidence over time.

    Args:
        context: As for `look_at_log`.
        which: Alias or number of the version.
        texts: As people type them in.
        source: How the report names the file.

    Raises:
        UsageError: There is no such version, or it asks a language model, which would cost money.
        MissingInputError: It has no reference, and none can be made here.
        ServiceError: The tracking store does not answer.
    """
    watched = Watched.of(context, which)
    answerer = _answerer(watched)
    rows: Rows = []
    for text in texts:
        if len(rows) % 100 == 0:
            context.progress.at(len(rows), len(rows) + 100, f"answering {source}")
        seen = answerer.answer(text)
        rows.append({**{name: getattr(seen, name, None) for name in READ}, "answer": seen.value, "slices": {}})
        rows[-1] |= {"at_us": 0, "latency_ms": None, "usd": seen.usd, "request_id": "", "row": len(rows)}
    today = Window(_today(), _today())
    figures = _figures(rows, len(rows), None)
    counts = drift.count(watched.reference, _sample(rows, context), today.first, [])
    now = accuracy_now(context, watched.version, watched.known, rows, None, today)
    days = [KeptDay(counts, figures)]
    report = _report(watched, today, rows, days, _seen(watched, today, days, None), now, 0, 0)
    return report.model_copy(update={"source": source})


def _answerer(watched: Watched) -> Answerer:
    version = watched.version
    answerer = Answerer(folder_of(watched.context, version), version.version)
    if not answerer.local:
        raise UsageError(
            f"{version.uri} asks a language model: a file's rows would be paid for", "watch its prediction log instead"
        )
    return answerer


def _today() -> int:
    """By the clock; days that were counted while it was ahead are not looked at before they are there."""
    return number_of(datetime.now(UTC).date())


def _day(kept: KeptDay) -> int:
    return kept.counts.day


def _first_to_count(window: Window, kept: Mapping[int, KeptDay]) -> int:
    """The day after the last look before the window, or an earlier one that is unfinished; not too far back."""
    last = max((day for day in kept if day < window.first), default=window.first - _CATCH_UP_DAYS - 1)
    return min([max(last + 1, window.first - _CATCH_UP_DAYS), *_unfinished(window, kept)])


def _unfinished(window: Window, kept: Mapping[int, KeptDay]) -> list[int]:
    """Days before the window that were not over when they were counted, and may have more rows."""
    days = range(window.first - _CATCH_UP_DAYS, window.first)
    return [day for day in days if day in kept and not kept[day].figures.is_over]


def _rows_of(log: PredictionLog, watched: Watched, day: int, every: int) -> Rows:
    """A day's rows of the version; of more than may be looked at, so many drawn by chance."""
    return list(
        log.rows(
            watched.context.case.name,
            since_us=day * DAY_US,
            until_us=(day + 1) * DAY_US,
            columns=_COLUMNS,
            version=watched.version.version,
            route="model",
            every=every,
        )
    )


def _sample(rows: Rows, context: Context) -> Sample:
    made = sample_of(rows, context.case.task)
    times = np.array([math.nan if row["latency_ms"] is None else row["latency_ms"] for row in rows])
    if not rows or np.isnan(times).all():
        return made
    return Sample(made.rows, {**made.numbers, LATENCY: times}, made.categories, made.embeddings)


def _counted(
    watched: Watched, day: int, rows: Rows, total: int, before: Sequence[DayCounts], every: int, is_over: bool
) -> KeptDay:
    counts = drift.count(watched.reference, _sample(rows, watched.context), day, before, is_over=is_over)
    figures = _figures(rows, total, estimate_of(watched.context, watched.known, rows))
    return KeptDay(counts, figures.model_copy(update={"every": every, "is_over": is_over}))


def _figures(rows: Rows, total: int, accuracy: Estimate | None) -> DayFigures:
    times = [row["latency_ms"] for row in rows if row["latency_ms"] is not None]
    p50, p99 = np.percentile(times, [50, 99]) if times else (None, None)
    priced = [row["usd"] for row in rows if row["usd"] is not None]
    scale = total / len(rows) if rows else 1.0
    return DayFigures(
        rows=total,
        rows_read=len(rows),
        unanswered=round(scale * sum(row["answer"] is None for row in rows)),
        p50_ms=None if p50 is None else float(p50),
        p99_ms=None if p99 is None else float(p99),
        usd=scale * sum(priced),
        unpriced=round(scale * (len(rows) - len(priced))),
        accuracy=accuracy,
    )


def _seen(watched: Watched, window: Window, kept: Sequence[KeptDay], since: int | None) -> drift.Look:
    counts, rate = [each.counts for each in kept], watched.spec.false_alarms
    return drift.look(watched.reference, counts, rate=rate, since=since, window=(window.first, window.last))


def _is_back(watched: Watched, seen: drift.Look, kept: Sequence[KeptDay]) -> bool:
    """Whether what had moved has been back for a week: no share differs by more than the tolerance, and none surely.

    Evidence of many days fades slowly; a person should hear earlier that trouble is over.
    """
    last = kept[-1].counts.day
    week = [each for each in kept if each.counts.day > last - _BACK_DAYS]
    if not seen.alarm or not sum(each.counts.rows for each in week) or week[0].counts.day > last - _BACK_DAYS + 1:
        return False
    moved = {(each.measure, each.part) for each in seen.findings if each.evidence >= _SPEAKS}
    of_week = _seen(watched, Window(last - _BACK_DAYS + 1, last), week, None)
    now = [each.difference for each in of_week.findings if (each.measure, each.part) in moved]
    tolerance = watched.spec.tolerance
    return not of_week.alarm and all(each.low <= 0 <= each.high or abs(each.value) <= tolerance for each in now)


def _report(
    watched: Watched,
    window: Window,
    rows: Rows,
    kept: Sequence[KeptDay],
    seen: drift.Look,
    now: tuple[AccuracyNow, ...],
    others: int,
    lost: int,
) -> MonitorReport:
    spec, case = watched.spec, watched.context.case
    path = dict(zip(seen.days, (float(value) for value in seen.path), strict=True))
    few = rows[:: max(1, math.ceil(len(rows) / _SHOWN_ROWS))]
    scores = [row.score for row in watched.known.rows]
    measured = any(row.logged["answer"] is not None for row in watched.known.rows)
    in_window = [each.figures for each in kept if window.first <= each.counts.day <= window.last]
    return MonitorReport(
        use_case=case.name,
        model=watched.version.model,
        version=watched.version.version,
        measure=case.spec.metric,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        first_day=window.first,
        last_day=window.last,
        source=LOG,
        rows=sum(each.rows for each in in_window),
        rows_read=len(rows),
        other_rows=others,
        not_logged=lost,
        reference_rows=len(watched.known.rows),
        traffic_rows=len(watched.known.traffic),
        then=mean_score(scores) if measured else None,
        now=now,
        false_alarms=spec.false_alarms,
        tolerance=spec.tolerance,
        evidence=None if math.isnan(seen.evidence) else seen.evidence,
        alarm_day=seen.alarm_day,
        findings=_strongest_and_limits(seen.findings),
        statistics=len(seen.findings),
        words=moved_words(watched.known.words, WordCounts.in_texts(row["text"] for row in few if row["text"])),
        examples=_examples(watched, few, seen.findings),
        not_measured=(*seen.not_measured, *_not_in_reference(watched, few)),
        days=tuple(
            WatchedDay(day=each.counts.day, figures=each.figures, evidence=path.get(each.counts.day)) for each in kept
        ),
    )


def _strongest_and_limits(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The strongest findings, and every one about a limit, which is an alert of its own, whatever else is stronger."""
    limits = [each for each in findings[_SHOWN_FINDINGS:] if each.is_limit]
    return (*findings[:_SHOWN_FINDINGS], *limits)


def _not_in_reference(watched: Watched, rows: Rows) -> list[str]:
    """Measures that the window has, and the reference does not."""
    if not rows:
        return []
    now, then = _sample(rows, watched.context), watched.known.sample
    new = sorted({*now.numbers, *now.categories} - {*then.numbers, *then.categories, LATENCY})
    return [f"{measure}: the reference does not have it" for measure in new]


def _examples(watched: Watched, rows: Rows, findings: Sequence[Finding]) -> tuple[ShownRow, ...]:
    """Rows that show the most telling findings, a few of each, no text twice."""
    sample, shown_rows, texts = _sample(rows, watched.context), [], set[str]()
    for finding in [each for each in findings if each.evidence > 0.01][:_EXAMPLES]:
        of_it = 0
        for place in drift.examples(watched.reference, sample, finding):
            row = rows[place]
            if not row["text"] or row["text"] in texts or of_it == 2:
                continue
            texts.add(row["text"])
            of_it += 1
            shown_rows.append(
                ShownRow(
                    text=row["text"],
                    answer=row["answer"],
                    confidence=row["confidence"],
                    shows=f"{finding.measure} {finding.part}".strip(),
                )
            )
    return tuple(shown_rows[:_EXAMPLES])
