"""What would change a verdict, as sentences: each figure in them was tried, by asking the same rule again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from tailtune.config.model import TargetsSpec
from tailtune.core.measures import MEASURES
from tailtune.core.reports import CandidateResult, RungResult, Verdict
from tailtune.judge.cadence import SELDOM_DAYS, Cadence
from tailtune.judge.constraints import fast_enough, meets_with_head_room, servable, usable_enough, validity
from tailtune.judge.economy import Setting
from tailtune.judge.evidence import Evidence
from tailtune.judge.weighing import Weighed
from tailtune.judge.wording import usd

_WORDS: dict[Verdict, str] = {
    "stay": "a cheaper rung stays",
    "fine-tune": "the fine-tune wins",
    "not-yet": "it is not yet time",
}
_FURTHEST = 1000.0
"""Factor up to which another volume or error cost is looked for; further away nobody plans for it."""
_STEP = 2.0


def would_change(
    evidence: Evidence, targets: TargetsSpec, best: RungResult, ask: Callable[[Evidence], Verdict]
) -> tuple[str, ...]:
    """What would change the verdict before training: target, volume, cost of an error, cadence, what is unmeasured.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        best: The rung that the verdict names.
        ask: The verdict on other evidence.
    """
    lines = [target_line(best, targets)]
    if evidence.setting is not None:
        lines += turning_points(evidence.setting, lambda other: ask(replace(evidence, setting=other)))
    seen = evidence.cadence
    if seen.declaring and ask(replace(evidence, cadence=replace(seen, declared_days=seen.seen_days))) != ask(evidence):
        lines.append(seen.declaring)
    if evidence.setting is not None:
        lines += seldom_line(seen, evidence.setting, lambda other: ask(replace(evidence, setting=other)))
    lines += [f"measuring {name}" for name in evidence.unmeasured]
    return tuple(lines)


def seldom_line(cadence: Cadence, setting: Setting, ask: Callable[[Setting], Verdict]) -> list[str]:
    """A line when a cadence that git shows, and nobody has declared, turned the verdict through the dollars."""
    if not cadence.seldom or ask(replace(setting, cadence_days=SELDOM_DAYS)) == ask(setting):
        return []
    return [cadence.seldom]


def turning_points(setting: Setting, ask: Callable[[Setting], Verdict]) -> list[str]:
    """The nearest volumes and costs of an error, up and down, at which the verdict is another.

    Args:
        setting: As it is.
        ask: The verdict at another.
    """
    lines, value = [], setting.value
    if value.requests_per_day:
        at = lambda per_day: ask(replace(setting, value=value.model_copy(update={"requests_per_day": per_day})))  # noqa: E731
        for volume, found in _nearest(value.requests_per_day, at, least=1.0):
            lines.append(f"at {volume:,.0f} requests a day {_WORDS[found]}; you have {value.requests_per_day:,.0f}")
    if value.error_usd:
        at = lambda error: ask(replace(setting, value=value.model_copy(update={"error_usd": error})))  # noqa: E731
        for error, found in _nearest(value.error_usd, at):
            lines.append(f"with an error worth {usd(error)} instead of {usd(value.error_usd)} {_WORDS[found]}")
    return lines


def target_line(best: RungResult | CandidateResult, targets: TargetsSpec) -> str:
    """The target at which a rung does, or no longer does."""
    enough = max(0.0, min(best.quality.low, 1 - (1 - best.quality.value) * targets.head_room))
    measure = MEASURES[targets.METRIC].title
    if servable(best, targets) and meets_with_head_room(best.quality, targets):
        return f"a target {measure} above {math.ceil(enough * 1000) / 1000:.1%}: {best.title} would no longer do"
    # Rounded down: at exactly the printed target the rung must do.
    told = f"{math.floor(enough * 1000) / 1000:.1%} or less{_besides(best, targets)}"
    return f"a target {measure} of {told}: {best.title} would do"


def _besides(rung: RungResult | CandidateResult, targets: TargetsSpec) -> str:
    """What else would have to give."""
    given = []
    if not fast_enough(rung, targets) and rung.latency is not None:
        given.append(f"a latency target of {rung.latency.p99_ms:.1f} ms or more")
    if not usable_enough(rung, targets):
        given.append(f"a validity of {math.floor(validity(rung).value * 1000) / 1000:.1%} or less")
    return f" with {' and '.join(given)}" if given else ""


def volume_that_pays(weighed: Weighed) -> float | None:
    """Requests a day from which the fine-tune's net value is above 0, at two digits; None when at none."""
    found = weighed.worth()
    if found is None or math.isnan(found.break_even.value):
        return None
    return _rounded(found.break_even.value, math.ceil, least=1.0)


def _nearest(now: float, ask: Callable[[float], Verdict], least: float = 0.0) -> list[tuple[float, Verdict]]:
    """The nearest values above and below with another answer, and where it is not that, with the fine-tune as answer.

    Limit: looks in doublings, so an answer that changes and changes back within one is not seen.
    """
    found, here = [], ask(now)
    for up in (True, False):
        turned = _turned(now, ask, up, least, {"stay", "fine-tune", "not-yet"} - {here})
        found += [turned] if turned else []
        if turned and here != "fine-tune" and turned[1] != "fine-tune":
            wins = _turned(turned[0], ask, up, least, {"fine-tune"})
            found += [wins] if wins else []
    return found


def _turned(
    now: float, ask: Callable[[float], Verdict], up: bool, least: float, wanted: set[str]
) -> tuple[float, Verdict] | None:
    """The nearest value with a wanted answer, rounded away from now; None when there is none within reach."""
    near, far = now, now
    while max(far / now, now / far) <= _FURTHEST and ask(far) not in wanted:
        near, far = far, far * _STEP if up else far / _STEP
    if ask(far) not in wanted:
        return None
    for _ in range(12):
        middle = math.sqrt(near * far)
        near, far = (near, middle) if ask(middle) in wanted else (middle, far)
    for round_ in (round, math.ceil if up else math.floor):  # away from now only where the nearest has not turned yet
        told = _rounded(far, round_, least)
        if told > 0 and (there := ask(told)) in wanted:
            return told, there
    return None  # rounding stepped over a narrow range


def _rounded(value: float, round_: Callable[[float], int], least: float) -> float:
    """Two significant digits, but no finer than `least`."""
    if value <= 0:
        return 0.0
    unit = max(least, 10.0 ** (math.floor(math.log10(value)) - 1))
    return round_(value / unit) * unit
