"""Quality of every way, one under the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, ClassResult, RungResult
from tailtune.report.html.charts.sheet import WIDTH, clipped, dot, label, line, path, picture, tag
from tailtune.report.numbers import Scale, capital, share, title, with_interval

Scored = RungResult | CandidateResult


def whiskers(rungs: Sequence[Scored], target: float | None, best: str) -> Markup:
    """Quality of every rung as a dot with its 95 % interval, and the target as a dashed line."""
    scale = Scale.around([rung.quality for rung in rungs], target)
    row, top = 38.0, 26.0
    foot = top + row * len(rungs)

    def across(value: float) -> float:
        return 8 + min(max(scale.place(value), 0.0), 1.0) * (WIDTH - 24)

    lanes = [(top + row * place + 19, top + row * place + 36) for place in range(len(rungs))]
    parts = [line((across(t), a), (across(t), b), "grid") for t in scale.ticks() for a, b in lanes]
    parts += [label((across(t), foot + 16), f"{t * 100:.0f} %", "dim", "middle") for t in scale.ticks()]
    if target is not None:
        parts += _upright_target(across(target), lanes, target)
    for place, rung in enumerate(rungs):
        y = top + row * place + 16
        kind = "best" if rung.name == best else ""
        parts.append(label((8, y), clipped(rung.title, 36), f"name {kind}"))
        parts.append(label((WIDTH - 8, y), with_interval(rung.quality), f"value {kind}", "end"))
        parts += _whisker(rung, scale, across, y + 12, kind)
    told = "; ".join(f"{rung.title} {with_interval(rung.quality)}" for rung in rungs)
    named = f"{capital(title(rungs[0].metric))} of every rung with its 95 % interval"
    return picture(WIDTH, foot + 26, named, told, *parts)


def _whisker(rung: Scored, scale: Scale, across: Callable[[float], float], y: float, kind: str) -> list[Markup]:
    found = rung.quality
    if math.isnan(found.value):
        return [label((8, y + 4), "not measured", "dim")]
    if scale.place(found.value) < 0:
        return [path([(14, y - 4), (8, y), (14, y + 4)], "mark", closed=True)]
    parts = []
    if not (math.isnan(found.low) or math.isnan(found.high)):
        low, high = across(found.low), across(found.high)
        parts.append(line((low, y), (high, y), f"whisker {kind}"))
        parts += [line((x, y - 4), (x, y + 4), f"whisker {kind}") for x in (low, high)]
    return [*parts, dot((across(found.value), y), 4.5, f"mark {kind}")]


def _upright_target(x: float, lanes: Sequence[tuple[float, float]], target: float) -> list[Markup]:
    anchor = "end" if x > WIDTH * 0.7 else "middle"
    named = label((x + (4 if anchor == "end" else 0), 14), f"target {share(target)}", "aim", anchor)
    return [named, *(line((x, a), (x, b), "target") for a, b in lanes)]


def strip(found: ClassResult) -> Markup:
    """The F1 of a label or field from 0 to 1 as a dot, the other candidate's as a ring."""
    if math.isnan(found.f1):
        return Markup("")
    parts = [line((5, 8), (115, 8), "grid")]
    if not math.isnan(found.f1_other):
        parts.append(line((5 + found.f1_other * 110, 8), (5 + found.f1 * 110, 8), "whisker"))
        parts.append(dot((5 + found.f1_other * 110, 8), 3.5, "ring"))
    parts.append(dot((5 + found.f1 * 110, 8), 4.5, "mark"))
    return tag("svg", *parts, viewBox="0 0 120 16", aria_hidden="true", class_="strip")


def whisker_strip(found: Estimate, scale: Scale, kind: str = "") -> Markup:
    """A share as a dot with its interval.

    Args:
        found: The share; nothing is drawn when it is NaN.
        scale: From end to end of the strip.
        kind: CSS class of the marks.
    """
    if math.isnan(found.value):
        return Markup("")

    def at(value: float) -> float:
        return 5 + min(max(scale.place(value), 0.0), 1.0) * 110

    parts = [line((5, 8), (115, 8), "grid")]
    if not (math.isnan(found.low) or math.isnan(found.high)):
        parts.append(line((at(found.low), 8), (at(found.high), 8), f"whisker {kind}"))
    parts.append(dot((at(found.value), 8), 4.5, f"mark {kind}"))
    return tag("svg", *parts, viewBox="0 0 120 16", aria_hidden="true", class_="strip")
