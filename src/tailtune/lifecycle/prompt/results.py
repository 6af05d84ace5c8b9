"""From bought answers to what the report says of a rung."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Estimate, Latency
from tailtune.core.reports import Paired, PromptedRung
from tailtune.judge.economics import usd_per_1000
from tailtune.judge.sequential import quality_sequence
from tailtune.judge.stats import holm
from tailtune.lifecycle.prompt.buying import Bought
from tailtune.predictors.prompted.costs import forms, latency, price, remarks
from tailtune.tasks import saved
from tailtune.tasks.use_case import UseCase


def result(case: UseCase, name: str, bought: Bought, version: int | None, core_hour_usd: float | None) -> PromptedRung:
    """How one rung did on the rows that were bought for it. A local model costs its processor time.

    The interval of a rung that was stopped by what its answers said is a confidence sequence; its other measures keep
    the interval of a fixed sample.
    """
    rung, asked = bought.rung, bought.asked
    rows = list(bought.rows[: bought.count])
    scored = case.task.score(rows, [one.answer for one in asked])
    metrics = dict(scored.metrics)
    if bought.early:
        metrics[next(iter(metrics))] = quality_sequence(bought.outcomes, case.task.most_items())
    usd = [one.reply.usd for one in asked]
    timed, held = latency(asked, rung.spec.name), forms(asked) if rung.constrained else {}
    hosted = rung.spec.folder is not None
    cost = own_price(timed, core_hour_usd) if hosted else price(usd)
    return PromptedRung(
        name=name,
        title=saved.title(name),
        metrics=metrics,
        usd_per_1000=None if cost is None else cost.value,
        invalid_rows=scored.invalid_rows,
        latency=timed,
        fit_s=0.0,
        fit_rows=rung.fit_rows,
        model=rung.spec.name,
        role=rung.spec.role,
        hosted=hosted,
        prompt=rung.template.name,
        prompt_digest=rung.template.digest,
        prompt_version=version,
        constrained=set(held) == {"json_schema"},
        forms=held,
        settled=bought.settled,
        of_rows=len(bought.rows),
        usd=known_sum(usd),
        usd_low=None if cost is None else cost.low,
        usd_high=None if cost is None else cost.high,
        input_tokens=_mean([None if one.reply.usd_estimated else one.reply.input_tokens for one in asked]),
        output_tokens=_mean([one.reply.output_tokens for one in asked]),
        unpriced_rows=usd.count(None),
        cached_rows=sum(one.reply.from_cache for one in asked),
        retries=sum(one.reply.retries for one in asked),
        invalid=dict(Counter(one.problem for one in asked if one.problem)),
        examples_dropped=sum(one.examples_dropped for one in asked),
        notes=_notes(bought, held),
    )


def compared(case: UseCase, bought: Bought, other: Sequence[Answer], names: tuple[str, str]) -> Paired:
    """A rung against the best before it, over the first rows that both have."""
    rows = list(bought.rows[: min(bought.count, len(other))])
    task = case.task
    first, second = (
        task.score(rows, answers[: len(rows)]) for answers in ([one.answer for one in bought.asked], list(other))
    )
    return task.compare(first, second, names)


def adjusted(rungs: Sequence[PromptedRung]) -> tuple[PromptedRung, ...]:
    """The same rungs, the p-values of their comparisons corrected over all of them (Holm, 1979)."""
    held = [rung for rung in rungs if rung.comparison is not None]
    corrected = dict(zip((rung.name for rung in held), holm([_p(rung) for rung in held]), strict=True))
    return tuple(rung.model_copy(update={"p_adjusted": corrected.get(rung.name)}) for rung in rungs)


def _notes(bought: Bought, held: Mapping[str, int]) -> tuple[str, ...]:
    """What was done otherwise than asked, and what could not be had; each once."""
    told = [bought.rung.note, *(one.reply.note for one in bought.asked)]
    free = sum(rows for form, rows in held.items() if form != "json_schema")
    if free:
        told.append(f"{free:,} of {sum(held.values()):,} answers were not held to the schema")
    return tuple(dict.fromkeys(note for note in (*told, *remarks(bought.asked, bought.rung.spec)) if note))


def _p(rung: PromptedRung) -> float:
    assert rung.comparison is not None  # noqa: S101 - filtered above
    return rung.comparison.mcnemar_p


def own_price(timed: Latency, core_hour_usd: float | None) -> Estimate | None:
    """US dollars for 1,000 answers of a model on this machine, one busy core; None when no price is declared."""
    value = usd_per_1000(timed.mean_ms, core_hour_usd)
    return None if value is None else Estimate(value=value, low=value, high=value, rows=timed.rows)


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
