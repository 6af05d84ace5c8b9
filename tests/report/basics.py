"""What all fixtures are made of: intervals, times, costs, prompted rungs, candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tailtune.core.records import Cost, Estimate, Latency
from tailtune.core.reports import CandidateCost, CostLine, Paired, PromptedRung, Report, Settled

NAN = math.nan


def estimate(value: float, rows: int) -> Estimate:
    """A share with a normal-theory interval; NaN stays NaN."""
    half = 1.96 * math.sqrt(max(value * (1 - value), 0) / rows) if value == value else NAN
    return Estimate(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0), rows=rows)


def latency(p50: float, parts: Mapping[str, float] | None = None) -> Latency:
    """Times around a median; parts are given as shares of the mean."""
    mean = p50 * 1.1
    split = {name: share * mean for name, share in (parts or {}).items()}
    return Latency(p50_ms=p50, p95_ms=p50 * 1.6, p99_ms=p50 * 2.3, mean_ms=mean, rows=200, parts=split)


LOCAL = {"tokenise": 0.06, "infer": 0.88, "decode": 0.06}
TIMED = {"connect": 0.02, "tls": 0.03, "wait": 0.9, "server": 0.71, "body": 0.05}
"""Shares of a request's mean time; server is part of wait."""


def cost(wall_s: float, usd: float | None = -1.0, bought: float | None = 0.0) -> Cost:
    price = wall_s * 0.1 / 3600 if usd == -1.0 else usd
    memory = 612 + wall_s * 8
    return Cost(wall_s=wall_s, cpu_s=wall_s * 1.8, peak_memory_mb=memory, usd=price, bought_usd=bought)


def paired(first: str, second: str, gap: float, half: float, rows: int, metric: str = "accuracy") -> Paired:
    """A difference with the rows that only one side got right to match."""
    apart = round(rows * 0.08)
    net = round(gap * rows)
    return Paired(
        first=first,
        second=second,
        metric=metric,
        difference=Estimate(value=gap, low=gap - half, high=gap + half, rows=rows),
        only_first_right=(apart + net) // 2,
        only_second_right=(apart - net) // 2,
        p=math.erfc(abs(gap) / half * 1.96 / math.sqrt(2)),
    )


TITLES = {
    "lm_zero_shot": "Prompt, zero-shot",
    "lm_few_shot": "Prompt, few-shot",
    "lm_chain_of_thought": "Prompt, step by step",
    "lm_retrieval": "Prompt with retrieved examples",
    "lm_constrained": "Best prompt, answer held to the schema",
    "lm_strong": "Best prompt, stronger model",
    "lm_optimised": "Best prompt, optimised",
}


def prompted(
    name: str,
    metrics: Mapping[str, float] | Mapping[str, Estimate],
    rows: int,
    of_rows: int,
    usd: float | None,
    p50: float,
    settled: Settled,
    comparison: Paired | None = None,
    invalid: Mapping[str, int] | None = None,
    model: str = "small-1",
    prompt: str = "",
    notes: tuple[str, ...] = (),
    examples_dropped: int = 0,
    parts: Mapping[str, float] = TIMED,
) -> PromptedRung:
    """A prompted rung; its interval is wider where buying stopped early, as a confidence sequence's is."""
    found = {key: value if isinstance(value, Estimate) else estimate(value, rows) for key, value in metrics.items()}
    if rows < of_rows and settled != "budget":
        first = next(iter(found))
        one = found[first]
        low, high = one.value - 1.6 * (one.value - one.low), one.value + 1.6 * (one.high - one.value)
        found[first] = one.model_copy(update={"low": max(low, 0.0), "high": min(high, 1.0)})
    return PromptedRung(
        name=name,
        title=TITLES[name],
        metrics=found,
        latency=latency(p50, parts),
        usd_per_1000=usd,
        invalid_rows=sum((invalid or {}).values()),
        fit_s=0.0,
        fit_rows=0,
        model=model,
        role="strong" if name == "lm_strong" else "base",
        prompt=prompt or name.removeprefix("lm_"),
        prompt_digest="0a1b2c3d4e5f",
        prompt_version=2,
        constrained=name == "lm_constrained",
        settled=settled,
        of_rows=of_rows,
        comparison=comparison,
        p_adjusted=None if comparison is None else min(comparison.p * 4, 1.0),
        usd=None if usd is None else usd * rows / 1000,
        usd_low=None if usd is None else usd * 0.94,
        usd_high=None if usd is None else usd * 1.06,
        input_tokens=None if usd is None else 840.0,
        output_tokens=None if usd is None else 12.0,
        unpriced_rows=rows if usd is None else 0,
        cached_rows=0,
        retries=3,
        invalid=dict(invalid or {}),
        examples_dropped=examples_dropped,
        notes=notes,
    )


def candidate(
    name: str,
    title: str,
    quality: float | None,
    once: Sequence[CostLine],
    monthly: Sequence[CostLine],
    by_request: Sequence[CostLine],
    per_day: float,
    months: int = 12,
) -> CandidateCost:
    """A candidate whose figures are the sums of its lines; every line is over the whole horizon."""

    def total(lines: Sequence[CostLine]) -> float | None:
        return None if any(line.usd is None for line in lines) else sum(line.usd or 0.0 for line in lines)

    parts = (total(once), total(monthly), total(by_request))
    requests = per_day * 365.25 / 12 * months
    return CandidateCost(
        name=name,
        title=title,
        quality=quality,
        one_off_usd=parts[0],
        monthly_usd=None if parts[1] is None else parts[1] / months,
        request_usd=None if parts[2] is None else parts[2] / requests,
        lines=(*once, *monthly, *by_request),
        total_usd=None if None in parts else sum(part or 0.0 for part in parts),
    )


def reports(*parts: Report) -> dict[str, Report]:
    return {part.stage: part for part in parts}
