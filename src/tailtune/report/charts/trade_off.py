"""Quality, cost and time of every way in one picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup

from tailtune.report.charts.placing import Box, Mark, placed
from tailtune.report.charts.sheet import LEFT, RIGHT, TOP, WIDTH, levels, up
from tailtune.report.measured import capital, title
from tailtune.report.numbers import milliseconds, ms, usd, with_interval
from tailtune.report.scale import Scale
from tailtune.report.svg import Point, clipped, dot, label, line, path, picture
from tailtune.report.ways import Way, undominated

FOOT = 380.0
_SIZES = (1.0, 30.0, 1000.0)  # milliseconds in the key


def radius(p99_ms: float | None) -> float:
    """How large a mark is: it grows with the logarithm of the time of one answer."""
    return 4.0 if p99_ms is None or p99_ms <= 0 else min(max(3.2 + 2.1 * math.log10(max(p99_ms, 1.0)), 3.2), 11.0)


def drawn(ways: Sequence[Way], target: float | None) -> tuple[list[Way], Scale]:
    """Ways that the picture shows, with its scale: those with price and quality, none far below the rest; or none."""
    seen = [way for way in ways if way.usd is not None and not math.isnan(way.quality.value)]
    scale = Scale.around([way.quality for way in seen], target)
    near = [way for way in seen if scale.place(way.quality.value) >= 0]
    enough = len(near) > 1 and any(_usd(way) > 0 for way in near)
    return (near if enough else []), scale


def trade_off(ways: Sequence[Way], target: float | None, best: str) -> Markup:
    """Quality against cost on a logarithmic axis, slow ways as large marks; empty when fewer than two have a price.

    A way that costs nothing stands at the left edge.
    """
    near, scale = drawn(ways, target)
    if not near:
        return Markup("")
    across, powers = _axis(near)
    ranked = sorted(near, key=lambda way: (way.name != best, -way.quality.value))
    points = {way.name: (across(_usd(way)), up(scale, way.quality.value, FOOT)) for way in near}
    whiskers = {way.name: _arms(way, points[way.name], across, scale) for way in near}
    edge = undominated(near)
    parts = [*_upright(across, powers), *levels(scale, target, FOOT, named=False)]
    if len(edge) > 1:
        parts.append(path(_steps([points[way.name] for way in edge]), "edge"))
    parts += [line(a, b, f"whisker thin {_class(way, best)}") for way in near for a, b in whiskers[way.name]]
    parts += [dot(points[way.name], _radius(way), f"mark {_class(way, best)}") for way in reversed(ranked)]
    avoid = [_strip(a, b) for arms in whiskers.values() for a, b in arms]
    parts += _names(ranked, points, avoid, best)
    parts += _key()
    told = "; ".join(
        f"{way.title} {with_interval(way.quality)} at {usd(_usd(way))} per 1,000"
        + (f", p99 {ms(way.latency.p99_ms)}" if way.latency else "")
        for way in near
    )
    named = f"{capital(title(near[0].scored.metric))} against the cost of 1,000 answers"
    return picture(WIDTH, FOOT + 70, named, told, *parts)


def _usd(way: Way) -> float:
    return way.usd.value if way.usd else 0.0


def _radius(way: Way) -> float:
    return radius(way.latency.p99_ms if way.latency else None)


def _class(way: Way, best: str) -> str:
    return f"{way.kind} best" if way.name == best else way.kind


def _axis(near: Sequence[Way]) -> tuple[Callable[[float], float], range]:
    prices = [price for way in near if (price := _usd(way)) > 0]
    first, last = math.floor(math.log10(min(prices))), math.ceil(math.log10(max(prices)) + 1e-9)
    last = max(last, first + 1)

    def across(value: float) -> float:
        power = first if value <= 0 else math.log10(value)
        return LEFT + 8 + min(max((power - first) / (last - first), 0.0), 1.0) * (RIGHT - LEFT - 16)

    return across, range(first, last + 1)


def _upright(across: Callable[[float], float], powers: range) -> list[Markup]:
    every = 1 if len(powers) <= 5 else 2
    parts = []
    for place, power in enumerate(powers):
        x = across(10.0**power)
        parts.append(line((x, TOP), (x, FOOT), "grid"))
        if (len(powers) - 1 - place) % every == 0:
            text = f"${10.0**power:,.{max(-power, 0)}f}"
            anchor = "start" if x < LEFT + 20 else "middle" if x < RIGHT - 20 else "end"
            parts.append(label((min(x, RIGHT - 8), FOOT + 18), text, "dim", anchor))
    parts.append(label(((LEFT + RIGHT) / 2, FOOT + 36), "US dollars for 1,000 answers", "dim", "middle"))
    return parts


def _arms(way: Way, at: Point, across: Callable[[float], float], scale: Scale) -> list[tuple[Point, Point]]:
    x, y = at
    found: list[tuple[Point, Point]] = []
    quality, price = way.quality, way.usd
    if not (math.isnan(quality.low) or math.isnan(quality.high)):
        found.append(((x, up(scale, quality.low, FOOT)), (x, up(scale, quality.high, FOOT))))
    if price is not None and price.high > price.low:
        found.append(((across(price.low), y), (across(price.high), y)))
    return found


def _strip(start: Point, end: Point) -> Box:
    return Box(min(start[0], end[0]) - 1, min(start[1], end[1]), max(start[0], end[0]) + 1, max(start[1], end[1]) + 1)


def _steps(points: Sequence[Point]) -> list[Point]:
    """The edge of what is possible: no dearer way is drawn worse than a cheaper one."""
    found = [points[0]]
    for before, after in pairwise(points):
        found += [(after[0], before[1]), after]
    return found


def _names(ranked: Sequence[Way], points: dict[str, Point], avoid: Sequence[Box], best: str) -> list[Markup]:
    marks = [Mark(*points[way.name], _radius(way), _short(way), way.name == best) for way in ranked]
    frame = Box(LEFT, 4, RIGHT + 6, FOOT)
    parts = []
    for way, mark, box in zip(ranked, marks, placed(marks, frame, avoid), strict=True):
        if box is None:
            continue
        end = min(max(mark.x, box.left), box.right), (box.top + box.bottom) / 2
        if math.dist(end, (mark.x, mark.y)) > mark.radius + 12:
            parts.append(line((mark.x, mark.y), end, "lead"))
        left = box.right < mark.x
        at = (box.right if left else box.left, box.bottom - 3)
        parts.append(label(at, mark.name, f"name {'best' if way.name == best else ''}", "end" if left else "start"))
    return parts


def _short(way: Way) -> str:
    """A title as short as its colour allows: that it is a prompt is said by the mark."""
    title = way.title
    for opening in ("Best prompt, ", "Prompt, ", "Prompt ") if way.kind == "prompted" else ():
        if title.startswith(opening):
            title = capital(title.removeprefix(opening))
            break
    return clipped(title, 24)


def _key() -> list[Markup]:
    """What a mark's size says."""
    y, parts = FOOT + 57, [label((LEFT, FOOT + 61), "slowest 1 %:", "dim")]
    x = LEFT + 92
    for time in _SIZES:
        text = f"{milliseconds(time).removesuffix('.0')} ms"
        parts += [dot((x, y), radius(time), "key"), label((x + 15, y + 4), text, "dim")]
        x += 78
    return parts
