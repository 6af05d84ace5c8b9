"""An audit: rows of a window drawn for a person to label, and what the labels say of the version that answered them.

log ── a window's rows ──▶ judge.audit.drawn ──▶ a file for a person, and the draw in the database
the filled file ──▶ task's score ──▶ judge.audit ──▶ AuditResult in the database, MLflow; rows for test
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailtune.core.audits import Audit, AuditResult, AuditRow
from tailtune.core.errors import MissingInputError, UsageError
from tailtune.core.logged import rows_of_others
from tailtune.core.records import Answer, Estimate, Row
from tailtune.core.spreadsheet import harmless
from tailtune.judge import audit as judge
from tailtune.judge.recalibration import fitted, log_odds
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.feedback import right_answer
from tailtune.operations.accuracy import mean_score
from tailtune.operations.reference import KnownReference, reference_of
from tailtune.operations.windows import Window
from tailtune.services import sources
from tailtune.services.audits import Audits, Results
from tailtune.services.corrections import Correction
from tailtune.services.mlflow import registry
from tailtune.services.prediction_log.opening import opened
from tailtune.services.prediction_log.store import PredictionLog

FEWEST_TEST_ROWS = 100
"""Test rows from which a version's own accuracy is that on test alone; with fewer, dev rows count too."""
_STEPS = 1_000
_NEEDED, _OPTIONAL = ("id", "label", "who"), ("text", "at")


@dataclass(frozen=True)
class DrawnText:
    """One per drawn row: the row, and what a person sees of it."""

    row: AuditRow
    text: str
    likeliest: Sequence[tuple[str, float]]


def draw(context: Context, which: str, window: Window, rows: int, seed: int) -> tuple[Audit, list[DrawnText]]:
    """Draw rows of a window, and keep the draw; the same rows and seed draw the same ones of the same whole days.

    Where rows came to these days or were deleted since, it is a draw of its own, with an id of its own.

    Of a day that is not over, rows so far are drawn, by other lots each time: a fair sample of it so far. What was
    drawn of it is not drawn again, also when it is over, so that a person labels a row once.

    Args:
        context: The use case, its settings, its tracker.
        which: Alias or number of the version.
        window: Days that are over, or the one that is not.
        rows: How many.
        seed: Another one draws other rows.

    Raises:
        UsageError: There is no such version, no row of it in the window, or its texts were not kept.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    case, settings = context.case, context.settings
    version = registry.get(context.tracker, case.model, which)
    with opened(context.project, settings, case.name) as log:
        if log is None:
            raise UsageError(f"{case.name}: nothing is logged yet", f"tailtune serve {case.name}")
        seen, without_text = _window(log, case.name, version.version, window)
        before = _drawn_so_far(context, version.version, window)
        left = [each for each in seen if (each.request_id, each.row) not in before]
        drawn_before, seen = len(seen) - len(left), left
        if not seen:
            raise _nothing(context, version.uri, window, without_text, drawn_before)
        others = rows_of_others(log.days(case.name, window.since_us, window.until_us), version.version)
        named = (case.name, version.version, window.name, str(seed))
        # By one lot for all draws of a day, rows that an earlier draw left would be drawn less often than newer ones.
        moment = () if window.is_over else (str(time.time_ns()),)
        lots = _lots((*named, *moment), seen)
        confidences = np.array([np.nan if each.confidence is None else each.confidence for each in seen])
        picked = judge.drawn(confidences, lots, rows)
        audit_id = _id_of((*named, str(rows), *moment), [seen[each.place] for each in picked])
        made = Audit(
            id=audit_id,
            use_case=case.name,
            version=version.version,
            first_day=window.first,
            last_day=window.last,
            is_over=window.is_over,
            drawn_before=drawn_before,
            window_rows=len(seen),
            without_text=without_text,
            other_rows=others,
            confidences=_steps(confidences),
            rows=tuple(
                AuditRow(
                    id=f"{audit_id}-{number:03d}",
                    request_id=seen[each.place].request_id,
                    row=seen[each.place].row,
                    at_us=seen[each.place].at_us,
                    stratum=each.stratum,
                    weight=each.weight,
                    answer=None,
                    confidence=seen[each.place].confidence,
                )
                for number, each in enumerate(picked, 1)
            ),
        )
        made, texts = _with_answers(log, made, version.version)
    with closing(Audits(settings.prediction_log_url(context.project))) as store:
        store.keep(made)
    return made, texts


class _Seen(NamedTuple):
    """One per row of the window that can be drawn."""

    request_id: str
    row: int
    confidence: float | None
    at_us: int


def _window(log: PredictionLog, use_case: str, version: str, window: Window) -> tuple[list[_Seen], int]:
    """The version's rows whose text was kept, and how many have none."""
    rows: dict[tuple[str, int], _Seen] = {}
    without_text = 0
    for each in log.rows(
        use_case,
        since_us=window.since_us,
        until_us=window.until_us,
        columns=("request_id", "row", "confidence", "at_us", "text"),
        version=version,
        route="model",
    ):
        if not each["text"]:
            without_text += 1
        else:  # where clients name several requests alike, the last of them counts, as for feedback
            seen = _Seen(each["request_id"], each["row"], each["confidence"], each["at_us"])
            rows[seen.request_id, seen.row] = seen
    return list(rows.values()), without_text


def _drawn_so_far(context: Context, version: str, window: Window) -> set[tuple[str, int]]:
    """Rows that were drawn from days of the window while these went on."""
    with closing(Audits(context.settings.prediction_log_url(context.project))) as store:
        audits = store.drawn_so_far(context.case.name, version, window.first, window.last)
    return {(row.request_id, row.row) for audit in audits for row in audit.rows}


def _nothing(context: Context, uri: str, window: Window, without_text: int, drawn_before: int) -> UsageError:
    name = context.case.name
    if drawn_before:
        return UsageError(
            f"{uri}: all {drawn_before:,} rows of {window.name} were drawn before, and are not drawn again",
            f"tailtune audit {name} --from FILE, with the file of that time",
        )
    if without_text:
        return UsageError(
            f"{uri}: the texts of its {without_text:,} rows of {window.name} were not kept (serve.log.text is "
            f"{context.case.spec.serve.log.text}), so nobody can label them",
            f"set serve.log.text: scrubbed in models/{name}/model.yaml, and audit a later window",
        )
    return UsageError(f"{uri} answered no row of {window.name}", f"tailtune log {name}   (says who answered when)")


def _lots(seed: Iterable[str], seen: Sequence[_Seen]) -> NDArray[np.uint64]:
    """A random number for each row, the same each time."""
    begun = hashlib.blake2b("\x1f".join(seed).encode(), digest_size=8)
    lots = np.empty(len(seen), dtype=np.uint64)
    for place, each in enumerate(seen):
        own = begun.copy()
        own.update(f"\x1f{each.request_id}\x1f{each.row}".encode("utf-8", "surrogatepass"))
        lots[place] = int.from_bytes(own.digest(), "big")
    return lots


def _id_of(command: Iterable[str], drawn: Sequence[_Seen]) -> str:
    """An audit's id: the same command over the same rows is the same audit, and over others another one.

    A window that is over changes too: rows are moved in later, or deleted by age.
    """
    rows = (f"{each.request_id}\x1f{each.row}\x1f{each.at_us}" for each in drawn)
    return "a" + hashlib.sha256("\x1f".join((*command, *rows)).encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _steps(confidences: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Confidences at even steps from lowest to highest, those not measured first."""
    ordered = np.sort(np.where(np.isnan(confidences), -1.0, confidences))
    places = np.linspace(0, ordered.size - 1, min(_STEPS, ordered.size)).round().astype(int)
    return tuple(None if value < 0 else round(float(value), 6) for value in ordered[places])


def _with_answers(log: PredictionLog, audit: Audit, version: str) -> tuple[Audit, list[DrawnText]]:
    rows: list[AuditRow] = []
    texts: list[DrawnText] = []
    for each in audit.rows:
        found = log.answered(audit.use_case, each.request_id, each.row, version, each.at_us)
        assert found is not None  # noqa: S101 - it has just been read
        rows.append(each.model_copy(update={"answer": found["answer"]}))
        texts.append(DrawnText(rows[-1], found["text"], found["likeliest"] or ()))
    return audit.model_copy(update={"rows": tuple(rows)}), texts


@dataclass(frozen=True)
class Labelled:
    """One per labelled row of an audit.

    Attributes:
        row: The row.
        answer: What the person says, as it is kept for test.
        score: What the version's answer is worth.
    """

    row: AuditRow
    answer: Correction
    score: float


def read(context: Context, file: Path, shown: str) -> tuple[Audit, list[Labelled]]:
    """Read an audit's file as people filled it in, wholly or in part.

    Raises:
        UsageError: No such audit was drawn.
        DataError: Something is wrong in the file; all of it at once, with lines.
    """
    case, settings = context.case, context.settings
    hint = f"correct the file, then: tailtune audit {case.name} --from {shown}"
    lines, faults = sources.records(file, _NEEDED, _OPTIONAL, shown, hint)
    faults.raise_any()
    filled = [
        (line, values) for line, values in lines if any(sources.as_written(values[name]) for name in ("label", "who"))
    ]
    if not filled:
        faults.add(lines[0][0] if lines else 0, "no line has a label and a name in `who`: nobody has filled it in")
        faults.raise_any()
    audit = _audit_of(context, [sources.as_written(values["id"]) for _, values in filled], shown)
    known = {row.id: row for row in audit.rows}
    labelled: dict[str, Labelled] = {}
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with opened(context.project, settings, case.name) as log:
        for line, values in filled:
            id_ = sources.as_written(values["id"])
            row = known.get(id_)
            if row is None:
                faults.add(line, f"no row has the id {id_}; expected one of audit {audit.id}")
                continue
            try:
                made = labelled_row(context, log, row, values, stamp)
            except ValueError as error:
                faults.add(line, str(error))
                continue
            if labelled.setdefault(row.id, made).answer.label != made.answer.label:
                faults.add(line, f"{row.id} stands in an earlier line under another label; expected one label a row")
    faults.raise_any()
    return audit, list(labelled.values())


def _audit_of(context: Context, ids: Sequence[str], shown: str) -> Audit:
    """The audit that most of these rows are of."""
    name = ids[0].rpartition("-")[0]
    with closing(Audits(context.settings.prediction_log_url(context.project))) as store:
        audit = store.get(context.case.name, name)
    if audit is None:
        raise UsageError(
            f"{shown}: no audit {name or ids[0]} of {context.case.name} was drawn with this prediction log; expected "
            "the ids as the file was written",
            f"tailtune audit {context.case.name} --rows 50",
        )
    return audit


def labelled_row(
    context: Context, log: PredictionLog | None, row: AuditRow, values: Mapping[str, Any], stamp: str
) -> Labelled:
    """A line as a labelled row.

    Raises:
        ValueError: What is wrong with it, in words.
    """
    task, label = context.case.task, sources.as_written(values["label"])
    if not label:
        raise ValueError("`label` is empty; expected the right answer, also where it is the one that the row has")
    at = sources.as_written(values["at"]) or stamp
    answer, made = right_answer(task, _text_of(context, log, row, values), label, sources.as_written(values["who"]), at)
    given = Answer(row.answer, float("nan") if row.confidence is None else row.confidence)
    score = task.score([Row(row.id, made.text, made.label, row.id)], [given]).per_row[0]
    return Labelled(row, answer, float(score))


def _text_of(
    context: Context, log: PredictionLog | None, row: AuditRow, values: Mapping[str, Any]
) -> Callable[[], str]:
    """The row's text: as logged; where the log forgot it, as the file has it."""

    def text() -> str:
        name = context.case.name
        logged = None if log is None else log.answered(name, row.request_id, row.row, None, row.at_us)
        found = (logged or {}).get("text") or sources.as_written(values["text"])
        if not logged and found[:1] == "'" and harmless(found[1:]) == found:
            found = found[1:]  # what kept a spreadsheet from computing it
        if not found:
            raise ValueError("its text is not in the prediction log any more; expected it in the column `text`")
        return str(found)

    return text


def judge_rows(context: Context, audit: Audit, labelled: Sequence[Labelled]) -> AuditResult:
    """What labelled rows say of the version, together with those of the audit that came before; kept in the database.

    Raises:
        ServiceError: The tracking store or the database does not answer.
    """
    own = _own(context, audit)  # before the database's transaction: MLflow may be slow, and others wait for it
    scores = {each.row.id: each.score for each in labelled}
    with closing(Audits(context.settings.prediction_log_url(context.project))) as store:
        return store.keep_result(audit, lambda results: _result(audit, scores, own, results))


@dataclass(frozen=True)
class _Own:
    """One per version whose own accuracy is known: what an audit of it is compared with.

    Attributes:
        accuracy: On its held-out rows.
        margin: Fall that does not matter, 0 to 1.
        gain: Independent rows that an audited row is worth.
    """

    accuracy: Estimate
    margin: float
    gain: float


def _own(context: Context, audit: Audit) -> _Own | None:
    known = _reference(context, audit)
    accuracy = None if known is None else own_accuracy(known)
    if known is None or accuracy is None:
        return None
    margin = context.case.spec.monitor.accuracy_fall
    return _Own(accuracy, margin, _gain(known, _confidences(audit), accuracy.value - margin))


def _confidences(audit: Audit) -> NDArray[np.float64]:
    return np.array([np.nan if each is None else each for each in audit.confidences])


def _result(audit: Audit, scores: Mapping[str, float], own: _Own | None, results: Results) -> AuditResult:
    """An audit's result from new scores and from the results that the version has."""
    by_id = {name: score for each, result in results if each.id == audit.id for name, score in result.scores.items()}
    by_id |= scores  # others may have labelled other rows
    rows = [row for row in audit.rows if row.id in by_id]
    sure = np.array([np.nan if row.confidence is None else row.confidence for row in rows])
    right, weights = np.array([by_id[row.id] for row in rows]), np.array([row.weight for row in rows])
    accuracy = judge.audited(_confidences(audit), sure, right, weights)
    over_time, audits = _over_time([each for each in results if each[0].id != audit.id], audit, by_id)
    return AuditResult(
        audit=audit.id,
        labelled=len(rows),
        scores=by_id,
        accuracy=accuracy,
        own=None if own is None else own.accuracy,
        fall=None if own is None else judge.fall(accuracy, own.accuracy, own.margin, own.gain),
        over_time=over_time,
        audits=audits,
        judged_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _reference(context: Context, audit: Audit) -> KnownReference | None:
    version = registry.get(context.tracker, context.case.model, audit.version)
    try:
        return reference_of(context, version)
    except MissingInputError as error:
        context.progress.say(f"no comparison with the version's own accuracy: {error.message}")
        return None


def own_accuracy(known: KnownReference) -> Estimate | None:
    """A version's mean score on its test rows; on dev rows too where those are few. None where it was not measured."""
    answered = [row for row in known.rows if row.logged["answer"] is not None]
    if not answered:
        return None
    test = [row.score for row in known.rows if row.split == "test"]
    return mean_score(test if len(test) >= FEWEST_TEST_ROWS else [row.score for row in known.rows])


def _gain(known: KnownReference, window: NDArray[np.float64], mean: float) -> float:
    """Rows that an audited row is worth if confidences mean what they did on the reference."""
    there = [row for row in known.rows if row.logged["confidence"] is not None]
    if not there or np.isnan(window).all() or not 0 < mean < 1:
        return 1.0
    odds = log_odds(np.array([row.logged["confidence"] for row in there]))
    return judge.gain(fitted(odds, np.array([row.score for row in there])), window, mean)


def _over_time(before: Results, audit: Audit, scores: Mapping[str, float]) -> tuple[Estimate, int]:
    """Over all audits of a version, by window; a row that two of them drew counts once.

    Limit: of a row that was kept without its time, any of the same request counts as the same one.
    """
    right: list[float] = []
    times: dict[tuple[str, int], set[int | None]] = {}
    everyone = sorted(
        [*((each, result.scores) for each, result in before), (audit, scores)], key=lambda each: each[0].last_day
    )
    for each, own in everyone:
        for row in each.rows:
            if row.id not in own:
                continue
            counted = times.setdefault((row.request_id, row.row), set())
            if counted and (row.at_us is None or counted & {None, row.at_us}):
                continue
            counted.add(row.at_us)
            right.append(own[row.id])
    return judge.over_time([np.array(right)]), len(everyone)
