"""The page's pictures: pure functions from report records to inline SVG. 400 units wide, readable on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tailtune.core.reports import CalibrationBin, ClassResult, CurvePoint, RungResult
from tailtune.report.measured import capital, title
from tailtune.report.numbers import count, milliseconds, ms, percent, share, with_interval
from tailtune.report.scale import Scale
from tailtune.report.svg import Point, clipped, dot, label, line, path, picture, tag

WIDTH = 400.0
LEFT, RIGHT = 44.0, 392.0
TOP, FOOT = 22.0, 252.0


def whiskers(rungs: Sequence[RungResult], target: float | None, best: str) -> Markup:
    """Quality of every rung as a dot with its 95 % interval, and the target as a dashed line."""
    scale = Scale.around([rung.quality for rung in rungs], target)
    row, top = 40.0, 26.0
    foot = top + row * len(rungs)

    def across(value: float) -> float:
        return 8 + min(max(scale.place(value), 0.0), 1.0) * (WIDTH - 24)

    lanes = [(top + row * place + 19, top + row * place + 37) for place in range(len(rungs))]
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


def _whisker(rung: RungResult, scale: Scale, across: object, y: float, kind: str) -> list[Markup]:
    assert callable(across)  # noqa: S101
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


def speed(rungs: Sequence[RungResult], target: float | None, best: str) -> Markup:
    """Quality against the median time of one answer, time on a logarithmic axis."""
    seen = [r for r in rungs if r.latency.p50_ms > 0 and not math.isnan(r.quality.value)]
    scale = Scale.around([rung.quality for rung in seen], target)
    near = [r for r in seen if scale.place(r.quality.value) >= 0]
    if not near:
        return Markup("")
    times = [rung.latency.p50_ms for rung in near]
    first, last = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)) + 1e-9)
    last = max(last, first + 1)

    def at(milli: float, value: float) -> Point:
        return LEFT + (math.log10(milli) - first) / (last - first) * (RIGHT - LEFT), _up(scale, value)

    parts = _rows(scale, target)
    for power in range(first, last + 1):
        x = at(10.0**power, scale.low)[0]
        anchor = "end" if power == last else "middle"
        parts.append(line((x, TOP), (x, FOOT), "grid"))
        parts.append(label((x, FOOT + 16), f"{milliseconds(10.0**power).removesuffix('.0')} ms", "dim", anchor))
    taken: list[Point] = []
    for rung in sorted(near, key=lambda r: -r.quality.value):
        kind = "best" if rung.name == best else ""
        point = at(rung.latency.p50_ms, rung.quality.value)
        parts += [dot(point, 4.5, f"mark {kind}"), _beside(point, rung.name, kind, taken)]
    told = "; ".join(f"{r.title} {share(r.quality.value)} in {ms(r.latency.p50_ms)}" for r in near)
    named = f"{capital(title(near[0].metric))} against the median time of one answer"
    return picture(WIDTH, FOOT + 26, named, told, *parts)


def _beside(point: Point, name: str, kind: str, taken: list[Point]) -> Markup:
    """A name next to its dot, moved down until it covers no other name."""
    x, y = point
    left = x > (LEFT + RIGHT) / 2
    y += 4
    while any(abs(y - other_y) < 13 and abs(x - other_x) < 110 for other_x, other_y in taken):
        y += 3
    taken.append((x, y))
    return label((x - 9 if left else x + 9, y), clipped(name, 18), f"name {kind}", "end" if left else "start")


def _up(scale: Scale, value: float) -> float:
    return FOOT - min(max(scale.place(value), 0.0), 1.0) * (FOOT - TOP)


def _rows(scale: Scale, target: float | None) -> list[Markup]:
    parts = [line((LEFT, _up(scale, t)), (RIGHT, _up(scale, t)), "grid") for t in scale.ticks()]
    parts += [label((LEFT - 6, _up(scale, t) + 4), f"{t * 100:.0f} %", "dim", "end") for t in scale.ticks()]
    if target is not None:
        y = _up(scale, target)
        parts += [line((LEFT, y), (RIGHT, y), "target"), label((LEFT, y - 6), f"target {share(target)}", "aim")]
    return parts


def curve(points: Sequence[CurvePoint], target: float | None, metric: str) -> Markup:
    """Quality of the cheap proxy by number of train rows, each with its interval."""
    seen = [p for p in points if p.rows > 0 and not math.isnan(p.quality.value)]
    if len(seen) < 2:
        return Markup("")
    scale = Scale.around([point.quality for point in seen], target)
    least, most = math.log(seen[0].rows), math.log(max(point.rows for point in seen))
    span = most - least or 1.0

    def across(rows: int) -> float:
        return LEFT + 22 + (math.log(rows) - least) / span * (RIGHT - LEFT - 50)

    parts = _rows(scale, target)
    banded = [p for p in seen if not (math.isnan(p.quality.low) or math.isnan(p.quality.high))]
    upper = [(across(p.rows), _up(scale, p.quality.high)) for p in banded]
    lower = [(across(p.rows), _up(scale, p.quality.low)) for p in reversed(banded)]
    if banded:
        parts.append(path([*upper, *lower], "band", closed=True))
    line_points = [(across(p.rows), _up(scale, p.quality.value)) for p in seen]
    parts.append(path(line_points, "trace"))
    for point, place in zip(seen, line_points, strict=True):
        parts.append(dot(place, 4.5, "mark"))
        parts.append(label((place[0], place[1] + 20), percent(point.quality.value), "value", "middle"))
        parts.append(label((place[0], FOOT + 16), count(point.rows), "dim", "middle"))
    told = "; ".join(f"{count(p.rows)} rows {with_interval(p.quality)}" for p in seen)
    return picture(WIDTH, FOOT + 26, f"{capital(title(metric))} by number of train rows", told, *parts)


def calibration(bins: Sequence[CalibrationBin]) -> Markup:
    """How often an answer is right, by how sure the model said it was; the diagonal is perfect."""
    seen = [b for b in bins if not (math.isnan(b.confidence) or math.isnan(b.accuracy))]
    if not seen:
        return Markup("")
    ends = [min(b.confidence, b.accuracy) for b in seen]
    scale = Scale(min(math.floor(min(ends) * 10) / 10, 0.9), 1.0)

    def at(confidence: float, accuracy: float) -> Point:
        return LEFT + scale.place(confidence) * (RIGHT - LEFT - 8), _up(scale, accuracy)

    parts = _rows(scale, None)
    for tick in scale.ticks():
        x = at(tick, scale.low)[0]
        parts += [line((x, TOP), (x, FOOT), "grid"), label((x, FOOT + 16), f"{tick * 100:.0f} %", "dim", "middle")]
    parts.append(line(at(scale.low, scale.low), at(1.0, 1.0), "target"))
    parts.append(path([at(b.confidence, b.accuracy) for b in seen], "trace"))
    parts += [dot(at(b.confidence, b.accuracy), 4.0, "mark") for b in seen]
    told = "; ".join(f"sure {share(b.confidence)}, right {share(b.accuracy)}, {count(b.rows)} rows" for b in seen)
    return picture(WIDTH, FOOT + 26, "How often right, by how sure", told, *parts)


def strip(found: ClassResult) -> Markup:
    """The F1 of a label or field from 0 to 1 as a dot, the other candidate's as a ring. The numbers stand beside it."""
    if math.isnan(found.f1):
        return Markup("")
    parts = [line((5, 8), (115, 8), "grid")]
    if not math.isnan(found.f1_other):
        parts.append(line((5 + found.f1_other * 110, 8), (5 + found.f1 * 110, 8), "whisker"))
        parts.append(dot((5 + found.f1_other * 110, 8), 3.5, "ring"))
    parts.append(dot((5 + found.f1 * 110, 8), 4.5, "mark"))
    return tag("svg", *parts, viewBox="0 0 120 16", aria_hidden="true", class_="strip")
