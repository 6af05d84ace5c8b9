"""Quality of every candidate as a dot with its interval, shares as bars, and marks small enough for a table's cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, ClassResult, Confusion, FieldResult, RungResult
from tailtune.report.html.charts.sheet import WIDTH, Picture, clipped, dot, label, line, path, picture, tag
from tailtune.report.numbers import Scale, capital, count, plain, share, title, with_interval
from tailtune.report.story import worst_first

Scored = RungResult | CandidateResult
MOST_BARS = 20


def whiskers(rungs: Sequence[Scored], target: float | None, best: str) -> Picture:
    """Quality of every rung as a dot with its 95 % interval, hollow for a line to beat; the target as a dashed line."""
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
        kind = "best" if rung.name == best else "to-beat" if rung.ignores_text else ""
        parts.append(label((8, y), _named(rung), f"name {kind}"))
        parts.append(label((WIDTH - 8, y), with_interval(rung.quality), f"value {kind}", "end"))
        parts += _whisker(rung, scale, across, y + 12, kind)
    description = "; ".join(f"{_named(rung)} {with_interval(rung.quality)}" for rung in rungs)
    named = f"{capital(title(rungs[0].metric))} of every rung with its 95 % interval"
    return picture(WIDTH, foot + 26, named, description, *parts)


def _named(rung: Scored) -> str:
    return clipped(f"{rung.title}, line to beat" if rung.ignores_text else rung.title, 36)


def _whisker(rung: Scored, scale: Scale, across: Callable[[float], float], y: float, kind: str) -> list[Markup]:
    found = rung.quality
    if math.isnan(found.value):
        return [label((8, y + 4), "not measured", "dim")]
    if scale.place(found.value) < 0:
        return [path([(14, y - 4), (8, y), (14, y + 4)], f"mark {kind}", closed=True)]
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


def confusions(pairs: Sequence[Confusion]) -> Picture | None:
    """What was answered for what, most often first, as bars; None when nothing was mixed up."""
    shown = sorted(pairs, key=lambda pair: -pair.rows)[:MOST_BARS]
    most = max((pair.rows for pair in shown), default=0)
    rows = [(f"{pair.expected} → {pair.answered}", pair.rows / most, count(pair.rows), math.nan) for pair in shown]
    return _bars("Mixed up on test: expected → answered, in rows", rows)


def weakest(parts: Sequence[ClassResult]) -> Picture | None:
    """F1 of the weakest labels or fields as bars, the other candidate's as a stroke; None when there are none."""
    shown = worst_first(parts)[:MOST_BARS]
    things = "fields" if any(isinstance(part, FieldResult) for part in parts) else "labels"
    rows = [(part.label, part.f1, plain(part.f1, 2), part.f1_other) for part in shown]
    stroke = [("stroke", "the other candidate")] if any(not math.isnan(part.f1_other) for part in shown) else []
    return _bars(f"Weakest {things}: F1 on test rows ({len(shown)} of {len(parts)})", rows, stroke)


def _bars(
    named: str, rows: Sequence[tuple[str, float, str, float]], legend: Sequence[tuple[str, str]] = ()
) -> Picture | None:
    """Named shares from 0 to 1 as bars, one under the other, with a stroke where there is a second share."""
    parts, step = [], 32.0
    for place, (name, value, text, other) in enumerate(rows):
        y = step * place
        parts += [label((8, y + 13), clipped(name, 48), "name"), label((WIDTH - 8, y + 13), text, "value", "end")]
        if not math.isnan(value):
            parts.append(tag("rect", x=8.0, y=y + 18, width=value * (WIDTH - 16), height=8.0, class_="bar text"))
        if not math.isnan(other):
            x = 8 + other * (WIDTH - 16)
            parts.append(line((x, y + 16), (x, y + 28), "stroke"))
    description = "; ".join(f"{name} {text}" for name, _, text, _ in rows)
    return picture(WIDTH, step * len(rows), named, description, *parts, legend=legend) if rows else None
