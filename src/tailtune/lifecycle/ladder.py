"""Measure every cheaper rung on the same dev rows by the same scorer, before anything is trained."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tailtune.core.errors import TooLargeError
from tailtune.core.measures import MEASURES
from tailtune.core.money import Usd
from tailtune.core.progress import Progress
from tailtune.core.records import Answer, Row
from tailtune.core.reports import CurvePoint, LadderReport, RungResult
from tailtune.judge.economics import usd_per_1000
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import CachedEmbed, FitContext, Rung
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.reading import reading
from tailtune.predictors.timing import time_rows
from tailtune.services import store
from tailtune.tasks import saved


def run(context: Context) -> LadderReport:
    """Fit, score, time and save each rung; then the learning curve of a cheap one.

    Raises:
        MissingInputError: Curation has not run.
        TooLargeError: No rung could be measured.
    """
    case, spec, inputs = context.case, context.case.spec.ladder, context.inputs
    train, dev = inputs.rows("train"), inputs.rows("dev")
    fit_rows = store.first_by_id(train, spec.max_fit_rows)
    read = reading([row.text for row in (*fit_rows, *dev)])
    for line in read.lines:
        context.progress.say(line)
    embed, pace = _encoded(fit_rows, dev, context.progress)
    fitting = case.task.fit_context(fit_rows, embed)
    rungs: list[RungResult] = []
    unmeasured: list[str] = []
    answers: dict[str, list[str | None]] = {}
    for name in spec.rungs:
        context.progress.at(len(rungs), len(spec.rungs), saved.title(name))
        try:
            result, answers[name] = _measure(name, fitting, dev, inputs.prices.cpu_core_hour_usd, context)
        except (TooLargeError, MemoryError) as error:
            unmeasured.append(f"{saved.title(name)}: {str(error) or 'this machine has too little memory for it'}")
            context.progress.say(unmeasured[-1])
            continue
        rungs.append(result)
        reached = f"{MEASURES[result.metric].title} {result.quality.value:.1%}"
        context.progress.say(f"{result.title}: {reached} on {len(dev):,} dev rows")
    if not rungs:
        raise TooLargeError("no rung could be measured:\n" + "\n".join(unmeasured), "add majority to ladder.rungs")
    store.write_answers(context.out / "dev_answers.jsonl", dev, answers)
    store.note_rows(context.out, inputs.rows_digest)
    return LadderReport(
        use_case=case.name,
        stage="ladder",
        rows_digest=inputs.rows_digest,
        train_rows=len(train),
        dev_rows=len(dev),
        fit_rows_capped=len(train) - len(fit_rows),
        label_rows=dict(Counter(name for row in train for name in case.task.names_in(row.label)).most_common()),
        encode_rows_per_s=round(pace, 1),
        rungs=tuple(rungs),
        reading=read,
        curve=_curve(context, fitting, dev, rungs),
        curve_rung=case.task.curve_rung,
        unmeasured=tuple(unmeasured),
    )


def _encoded(train: Sequence[Row], dev: Sequence[Row], progress: Progress) -> tuple[CachedEmbed, float]:
    encoder = Encoder.load()
    texts = [row.text for row in (*train, *dev)]
    start = time.perf_counter()
    vectors = encoder.embed(texts, lambda done, total: progress.at(done, total, "encoding rows"))
    pace = len(texts) / (time.perf_counter() - start)
    progress.say(f"encoded {len(texts):,} rows, {pace:,.0f} rows/s")
    cached = CachedEmbed(encoder.embed)
    cached.remember(texts, vectors)
    return cached, pace


def _measure(
    name: str, fitting: FitContext, dev: Sequence[Row], core_hour_usd: Usd | None, context: Context
) -> tuple[RungResult, list[str | None]]:
    """Fit, score, time and save a rung. Returns its figures and its answers to the dev rows."""
    kind, spec = saved.RUNG_KINDS[name], context.case.spec.ladder
    start = time.perf_counter()
    rung: Rung[Any] = kind.load_class().fit(fitting)
    fit_s = time.perf_counter() - start
    answers = rung.answer([row.text for row in dev])
    scored = context.case.task.score(dev, answers)
    embed = fitting.embed
    assert isinstance(embed, CachedEmbed)  # noqa: S101 - `run` made it
    embed.timing = True
    latency = time_rows(rung, [row.text for row in store.first_by_id(dev, spec.latency_rows)])
    embed.timing = False
    folder = context.out / "rungs" / name
    rung.save(folder)
    saved.write_card(folder, kind, context.case.spec.curate.scrub_pii)
    result = RungResult(
        name=name,
        title=kind.title,
        metrics=scored.metrics,
        latency=latency,
        usd_per_1000=usd_per_1000(latency.mean_ms, core_hour_usd),
        invalid_rows=scored.invalid_rows,
        fit_s=round(fit_s, 3),
        fit_rows=rung.fit_rows,
        ignores_text=kind.ignores_text,
    )
    return result, [answer.value for answer in answers]


def _curve(
    context: Context, fitting: FitContext, dev: Sequence[Row], measured: Sequence[RungResult]
) -> tuple[CurvePoint, ...]:
    """A cheap rung on 1/2^(k-1) … 1/2, all of the train rows; subsets are nested and chosen by content hash.

    Where the rung is on the ladder, what was measured there is the last point.
    """
    points, task = context.case.spec.ladder.curve_points, context.case.task
    ordered = sorted(fitting.rows, key=lambda row: row.id)
    texts = [row.text for row in dev]
    whole = next((rung.quality for rung in measured if rung.name == task.curve_rung), None)
    curve = []
    for step in range(points):
        rows = ordered[: max(2, len(ordered) >> (points - 1 - step))]
        context.progress.at(step, points, f"learning curve, {len(rows):,} rows")
        if whole is not None and len(rows) == len(ordered):
            curve.append(CurvePoint(rows=len(rows), quality=whole))
            continue
        try:
            rung: Rung[Any] = saved.RUNG_KINDS[task.curve_rung].load_class().fit(replace(fitting, rows=rows))
        except (TooLargeError, MemoryError):
            return ()  # with all rows it was not measured either, and was named
        answers: Sequence[Answer] = rung.answer(texts)
        curve.append(CurvePoint(rows=len(rows), quality=task.score(dev, answers).quality))
    return tuple(curve)
