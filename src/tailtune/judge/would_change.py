"""What would change a verdict, as sentences: each figure was tried by asking the rule again. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from tailtune.core.figures import requests_a_day, share, two_digits, usd, volume, with_interval
from tailtune.core.measures import MEASURES, title_of
from tailtune.core.reports import CandidateResult, RungResult, Scored, Verdict
from tailtune.judge.constraints import Targets, above, fast_enough, near_miss, stays, usable_enough, validity
from tailtune.judge.economics import DECLARED_AS, SELDOM_DAYS, Cadence, CostInputs, amount, amount_per
from tailtune.judge.evidence import Evidence
from tailtune.judge.guards import is_below
from tailtune.judge.shares import LEVEL, at_level

_WORDS: dict[Verdict, str] = {
    "stay": "a cheaper rung stays",
    "fine-tune": "the fine-tune wins",
    "not-yet": "it is not yet time",
}
_FURTHEST = 1000.0
"""Factor up to which another volume or error cost is looked for; further away nobody plans for it."""
_STEP = 2.0
_DEFAULT_REACH = 4.0
"""Factor up to which a default price may be wrong."""


def would_change(
    evidence: Evidence, targets: Targets, best: RungResult, ask: Callable[[Evidence], Verdict], looks: int = 1
) -> tuple[str, ...]:
    """What would change the verdict before training, as sentences: each figure was tried by asking the rule again.

    Target, volume, cost of an error, cadence, and what is unmeasured.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        best: The rung that the verdict names.
        ask: The verdict on other evidence.
        looks: Rungs among which the best one was chosen; 1 where it had been chosen before.
    """
    lines = [*target_lines(best, targets, evidence.line, looks), *_relaxed(best, evidence, targets)]
    if evidence.inputs is not None:
        lines += turning_points(evidence.inputs, lambda other: ask(replace(evidence, inputs=other)))
    seen = evidence.cadence
    if seen.declaring and ask(replace(evidence, cadence=replace(seen, declared_days=seen.seen_days))) != ask(evidence):
        lines.append(seen.declaring)
    if evidence.inputs is not None:
        lines += seldom_line(seen, evidence.inputs, lambda other: ask(replace(evidence, inputs=other)))
        lines += default_lines(evidence.inputs, lambda other: ask(replace(evidence, inputs=other)))
    lines += [f"measuring {name}" for name in evidence.unmeasured]
    return tuple(lines)


def _relaxed(best: RungResult, evidence: Evidence, targets: Targets) -> list[str]:
    """For each other rung that one constraint alone keeps out: the constraint with which it would do."""
    others = [
        rung for rung in evidence.rungs if rung is not best and near_miss(rung, targets, evidence.line, evidence.looks)
    ]
    return [f"{' and '.join(looser(rung, targets))}: {rung.title} would do" for rung in others]


def seldom_line(cadence: Cadence, inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> list[str]:
    """A line when a cadence that git shows, and nobody has declared, turned the verdict through the dollars."""
    if not cadence.seldom or ask(replace(inputs, cadence_days=SELDOM_DAYS)) == ask(inputs):
        return []
    return [cadence.seldom]


def _default_points(inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> dict[str, tuple[float, Verdict]]:
    """Defaults that nobody declared and that decide: the nearest other amount within four times, and its verdict."""
    here, points = ask(inputs), {}
    for name in sorted(inputs.defaults):
        now = getattr(inputs, name)
        ends = [{name: factor * now} for factor in (_DEFAULT_REACH, 1 / _DEFAULT_REACH)] if now else []
        if all(ask(replace(inputs, **end)) == here for end in ends):
            continue
        nearest = _nearest(now, lambda other, name=name: ask(replace(inputs, **{name: other})))  # type: ignore[misc]
        turned = [(value, there) for value, there in nearest if there != here]
        if turned:
            points[name] = min(turned, key=lambda point: abs(math.log(point[0] / now)))
    return points


def default_lines(inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> list[str]:
    """What declaring an amount could change that nobody declared, as sentences."""
    return [
        f"declaring {DECLARED_AS[name]}: at {amount_per(name, value)} instead of the default "
        f"{amount(name, getattr(inputs, name))} {_WORDS[there]}"
        for name, (value, there) in _default_points(inputs, ask).items()
    ]


def at_defaults(inputs: CostInputs | None, ask: Callable[[CostInputs], Verdict]) -> str:
    """That the verdict hangs on such amounts, as the end of a sentence; empty when on none."""
    points = _default_points(inputs, ask) if inputs is not None else {}
    amounts = ", ".join(amount_per(name, getattr(inputs, name)) for name in points)
    return f"; this hangs on defaults that nobody declared: {amounts}" if points else ""


def turning_points(inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> list[str]:
    """The nearest volumes and costs of an error, up and down, at which the verdict is another.

    Args:
        inputs: As they are.
        ask: The verdict at others.
    """
    lines, per_day, error_usd = [], inputs.requests_per_day, inputs.error_usd
    if per_day:
        for other, there in _nearest(per_day, lambda other: ask(replace(inputs, requests_per_day=other)), least=1.0):
            lines.append(f"at {requests_a_day(other)} {_WORDS[there]}; you have {volume(per_day)}")
    if error_usd:
        for error, there in _nearest(error_usd, lambda other: ask(replace(inputs, error_usd=other))):
            lines.append(f"with an error worth {usd(error)} instead of {usd(error_usd)} {_WORDS[there]}")
    return lines


def target_lines(
    best: RungResult | CandidateResult, targets: Targets, line: Scored | None, looks: int = 1
) -> list[str]:
    """The target at which a rung does, or no longer does; no target makes one do that is not above the line.

    None where the rung does at every target that there is.

    Args:
        best: The rung.
        targets: What the product needs.
        line: The best of what ignores the text; None when none was measured.
        looks: Rungs that were looked at on the same rows, as the rule counts them.
    """
    if line is not None and not above(best, line):
        reached = f"what {line.title} reaches without reading the text"
        return [f"a rung or a fine-tune above {with_interval(line.quality)}, {reached}"]
    sure = at_level(best.quality, LEVEL / looks).low
    enough = max(0.0, min(sure, 1 - (1 - best.quality.value) * targets.head_room))
    measure = MEASURES[targets.metric].title
    if stays(best, targets, None, looks):
        most = math.ceil(enough * 1000) / 1000
        return [f"a target {measure} above {share(most)}: {best.title} would no longer do"] if most < 1 else []
    # Rounded down: at exactly the printed target the rung must do.
    lower = f"{share(math.floor(enough * 1000) / 1000)} or less{_other_targets(best, targets)}"
    return [f"a target {measure} of {lower}: {best.title} would do"]


def _other_targets(rung: RungResult | CandidateResult, targets: Targets) -> str:
    """Other targets to relax."""
    relaxed = looser(rung, targets)
    return f" with {' and '.join(relaxed)}" if relaxed else ""


def looser(rung: RungResult | CandidateResult, targets: Targets) -> list[str]:
    """The constraints that a rung misses, as it would meet them."""
    relaxed = []
    if not fast_enough(rung, targets) and rung.latency is not None:
        relaxed.append(f"a latency target of {math.ceil(rung.latency.p99_ms * 10) / 10:.1f} ms or more")
    if not usable_enough(rung, targets):
        relaxed.append(f"a validity of {share(math.floor(validity(rung).value * 1000) / 1000)} or less")
    for guard in targets.guards:
        if is_below(rung, guard):
            reached = math.floor(rung.metrics[guard.metric].value * 1000) / 1000
            relaxed.append(f"a floor of {title_of(guard.metric)} of {share(reached)} or less")
    return relaxed


def _nearest(now: float, ask: Callable[[float], Verdict], least: float = 0.0) -> list[tuple[float, Verdict]]:
    """The nearest values above and below with another answer, and where it is not that, with the fine-tune as answer.

    Limit: looks in doublings, so an answer that changes and changes back within one is not seen.
    """
    nearest, here = [], ask(now)
    for up in (True, False):
        turned = _turned(now, ask, up, least, {"stay", "fine-tune", "not-yet"} - {here})
        nearest += [turned] if turned else []
        if turned and here != "fine-tune" and turned[1] != "fine-tune":
            wins = _turned(turned[0], ask, up, least, {"fine-tune"})
            nearest += [wins] if wins else []
    return nearest


def _turned(
    now: float, ask: Callable[[float], Verdict], up: bool, least: float, others: set[str]
) -> tuple[float, Verdict] | None:
    """The nearest value with one of the other verdicts, rounded away from now; None when there is none within reach."""
    near, far = now, now
    while max(far / now, now / far) <= _FURTHEST and ask(far) not in others:
        near, far = far, far * _STEP if up else far / _STEP
    if ask(far) not in others:
        return None
    for _ in range(12):
        middle = math.sqrt(near * far)
        near, far = (near, middle) if ask(middle) in others else (middle, far)
    for round_ in (round, math.ceil if up else math.floor):  # away from now only where the nearest has not turned yet
        value = two_digits(far, round_, least)
        if value > 0 and (there := ask(value)) in others:
            return value, there
    return None  # rounding stepped over a narrow range
