"""Candidates of the four lives: every total is the sum of its lines, every crossing that of its candidates."""

from __future__ import annotations

from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateCost, CostLine, Economics

from .basics import NAN, candidate

MONTHS = 12
DAYS = 365.25


def line(what: str, usd: float | None, basis: str, hidden: bool = False) -> CostLine:
    return CostLine(what=what, usd=usd, basis=basis, hidden=hidden)


def prompting(
    title: str, quality: float, per_1000: float | None, per_day: float, error_usd: float, changes: int = 4
) -> CandidateCost:
    requests = per_day * DAYS
    text = "not declared" if per_1000 is None else f"{requests:,.0f} requests × ${per_1000:.2f} per 1,000"
    wrong = requests * (1 - quality)
    return candidate(
        "prompt",
        title,
        quality,
        [line("evaluation", 1.87, "answers bought on dev and test", hidden=True)],
        [line("changes of behaviour", changes * 75.0, f"{changes} prompt changes × 1 h × $75", hidden=True)],
        [
            line("tokens", None if per_1000 is None else requests * per_1000 / 1000, text),
            line("wrong answers", wrong * error_usd, f"{wrong:,.0f} errors × ${error_usd:.2f}", hidden=True),
        ],
        per_day,
    )


def tuned(quality: float, labels: int, per_day: float, error_usd: float, changes: int = 4) -> CandidateCost:
    wrong = per_day * DAYS * (1 - quality)
    retraining = changes * (2 * 75.0 + 100 * 0.08 + 0.02)
    return candidate(
        "lora",
        "LoRA fine-tune",
        quality,
        [
            line("labels", labels * 0.08, f"{labels:,} rows × $0.08", hidden=True),
            line("training", 0.02, "151 s on 2 cores"),
            line("evaluation", 0.001, "answers on dev and test", hidden=True),
        ],
        [
            line("serving", 2 * 0.04 * 730 * MONTHS, "2 cores × $0.04 × 730 h × 12 months"),
            line("changes of behaviour", retraining, f"{changes} retrainings × (2 h × $75 + 100 labels)", hidden=True),
        ],
        [line("wrong answers", wrong * error_usd, f"{wrong:,.0f} errors × ${error_usd:.2f}", hidden=True)],
        per_day,
    )


def compared(
    candidates: tuple[CandidateCost, CandidateCost],
    per_day: float,
    error_usd: float,
    spread: float,
    unknown: tuple[str, ...] = (),
) -> Economics:
    """The last candidate against the first: net value at the volume, and where the straight lines cross."""
    first, last = candidates
    known = first.total_usd is not None and last.total_usd is not None
    net = None
    if first.total_usd is not None and last.total_usd is not None:
        value = first.total_usd - last.total_usd
        net = Estimate(value=value, low=value - spread, high=value + spread, rows=2000)
    even = None
    if known and None not in (first.one_off_usd, first.monthly_usd, last.one_off_usd, last.monthly_usd):
        fixed = [(one.one_off_usd or 0.0) + (one.monthly_usd or 0.0) * MONTHS for one in candidates]
        slope = [((one.total_usd or 0.0) - fix) / per_day for one, fix in zip(candidates, fixed, strict=True)]
        cross = (fixed[1] - fixed[0]) / (slope[0] - slope[1]) if slope[0] > slope[1] else NAN
        even = Estimate(value=cross, low=cross * 0.8, high=cross * 1.3, rows=2000)
    share = None if net is None else 0.999 if net.low > 0 else 0.001 if net.high < 0 else 0.62
    return Economics(
        requests_per_day=per_day,
        error_usd=error_usd,
        horizon_months=MONTHS,
        candidates=candidates,
        net_value=net,
        probability=share,
        break_even_per_day=even,
        unknown=unknown,
    )
