"""Measure every cheaper rung on the same dev rows by the same scorer, before anything is trained."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tailtune.core.errors import TooLargeError
from tailtune.core.figures import share
from tailtune.core.measures import MEASURES
from tailtune.core.money import Usd
from tailtune.core.progress import Progress
from tailtune.core.records import Answer, Estimate, Row
from tailtune.core.reports import CurvePoint, LadderReport, RungResult
from tailtune.judge.economics import usd_per_1000
from tailtune.judge.scores import Score, compare
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.must_not_fail import tried
from tailtune.lifecycle.suspect_labels import check_dev_and_train
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
    scores: dict[str, Score] = {}
    for name in spec.rungs:
        context.progress.at(len(rungs), len(spec.rungs), saved.title(name))
        try:
            result, answers[name], scores[name] = _measure(name, fitting, dev, inputs.prices.cpu_core_hour_usd, context)
        except (TooLargeError, MemoryError) as error:
            unmeasured.append(f"{saved.title(name)}: {str(error) or 'this machine has too little memory for it'}")
            context.progress.say(unmeasured[-1])
            continue
        rungs.append(result)
        reached = f"{MEASURES[result.metric].title} {share(result.quality.value)}"
        context.progress.say(f"{result.title}: {reached} on {len(dev):,} dev rows")
    if not rungs:
        raise TooLargeError("no rung could be measured:\n" + "\n".join(unmeasured), "add majority to ladder.rungs")
    store.write_answers(context.out / "dev_answers.jsonl", dev, answers)
    store.note_rows(context.out, inputs.rows_digest)
    labels, unchecked = check_dev_and_train(context, fitting, dev, embed)
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
        curve=_curve(context, fitting, dev, scores.get(case.task.curve_rung)),
        curve_rung=case.task.curve_rung,
        unmeasured=tuple(unmeasured),
        labels=labels,
        labels_unchecked=unchecked,
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
) -> tuple[RungResult, list[str | None], Score]:
    """Fit, score, time and save a rung. Returns its figures, its answers to the dev rows, and their score."""
    kind, spec = saved.RUNG_KINDS[name], context.case.spec.ladder
    start = time.perf_counter()
    rung: Rung[Any] = kind.load_class().fit(fitting)
    fit_s = time.perf_counter() - start
    answers = rung.answer([row.text for row in dev])
    scored, must = context.case.task.score(dev, answers), tried(context, rung.answer)
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
        metrics=scored.metrics | must.metrics,
        latency=latency,
        usd_per_1000=usd_per_1000(latency.mean_ms, core_hour_usd),
        invalid_rows=scored.invalid_rows,
        look_alike_rows=scored.look_alike_rows,
        must_failed=must.failed,
        fit_s=round(fit_s, 3),
        fit_rows=rung.fit_rows,
        ignores_text=kind.ignores_text,
    )
    return result, [answer.value for answer in answers], scored


def _curve(context: Context, fitting: FitContext, dev: Sequence[Row], whole: Score | None) -> tuple[CurvePoint, ...]:
    """A cheap rung on 1/2^(k-1) … 1/2, all of the train rows; subsets are nested and chosen by content hash.

    Args:
        context: Of the stage.
        fitting: What the rung may learn from.
        dev: Rows that it is scored on.
        whole: What the rung on the ladder scored, which is the last point; None where it is not on it.
    """
    points, task = context.case.spec.ladder.curve_points, context.case.task
    ordered = sorted(fitting.rows, key=lambda row: row.id)
    texts = [row.text for row in dev]
    scores: list[Score] = []
    sizes: list[int] = []
    for step in range(points):
        rows = ordered[: max(2, len(ordered) >> (points - 1 - step))]
        context.progress.at(step, points, f"learning curve, {len(rows):,} rows")
        sizes.append(len(rows))
        if whole is not None and len(rows) == len(ordered):
            scores.append(whole)
            continue
        try:
            rung: Rung[Any] = saved.RUNG_KINDS[task.curve_rung].load_class().fit(replace(fitting, rows=rows))
        except (TooLargeError, MemoryError):
            return ()  # with all rows it was not measured either, and was named
        answers: Sequence[Answer] = rung.answer(texts)
        scores.append(task.score(dev, answers))
    points_with_gains = zip(sizes, scores, _gains(sizes, scores), strict=True)
    return tuple(CurvePoint(rows=size, quality=score.quality, gain=gain) for size, score, gain in points_with_gains)


def _gains(sizes: Sequence[int], scores: Sequence[Score]) -> list[Estimate | None]:
    """What a doubling of rows gained over the last two steps up to each point, paired by row; None where there is none.

    Over the only step at the second point.
    """
    gains: list[Estimate | None] = []
    for at, (size, score) in enumerate(zip(sizes, scores, strict=True)):
        before = max(0, at - 2)
        if size <= sizes[before]:
            gains.append(None)
            continue
        gap, doublings = compare(score, scores[before], ("after", "before")).difference, math.log2(size / sizes[before])
        gains.append(gap.per(doublings))
    return gains
