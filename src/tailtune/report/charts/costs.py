"""What each road costs in all, by volume, and where they cross."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tailtune.core.reports import Economics
from tailtune.report.charts.sheet import FOOT, RIGHT, TOP, WIDTH
from tailtune.report.money import Straight, straights
from tailtune.report.numbers import dollars, volume
from tailtune.report.svg import dot, label, line, path, picture

LEFT = 62.0
SERIES = ("one", "two", "three", "four")
_TICKS = 5


def break_even(economics: Economics) -> Markup:
    """Total cost of every road over the horizon, by requests a day; the band is the interval of the crossing.

    Empty when fewer than two roads are known.
    """
    roads = straights(economics)
    most = _reach(economics)
    if len(roads) < 2 or most <= 0:
        return Markup("")
    top = max(road.at(most) for road in roads) or 1.0
    step = _round_step(top / (_TICKS - 1))
    height = math.ceil(top / step) * step

    def at(per_day: float, usd: float) -> tuple[float, float]:
        return LEFT + per_day / most * (RIGHT - LEFT), FOOT - usd / height * (FOOT - TOP)

    parts = []
    for place in range(round(height / step) + 1):
        y = at(0, place * step)[1]
        parts += [line((LEFT, y), (RIGHT, y), "grid"), label((LEFT - 6, y + 4), dollars(place * step), "dim", "end")]
    aside = _round_step(most / 6)
    for place in range(math.floor(most / aside + 1e-9) + 1):
        x = at(place * aside, 0)[0]
        parts.append(label((x, FOOT + 16), volume(place * aside), "dim", "middle" if x < RIGHT - 20 else "end"))
    parts.append(label(((LEFT + RIGHT) / 2, FOOT + 33), "requests a day", "dim", "middle"))
    parts += _crossing(economics, roads, most, at)
    for name, road in zip(SERIES, roads, strict=False):
        parts.append(path([at(0, road.fixed_usd), at(most, road.at(most))], f"series {name}"))
    have = economics.requests_per_day
    if have is not None and have <= most:
        x = at(have, 0)[0]
        parts.append(line((x, TOP), (x, FOOT), "have"))
        parts.append(label((x, TOP - 7), f"you: {volume(have)}", "dim", "middle" if x < RIGHT - 30 else "end"))
        parts += [dot(at(have, road.at(have)), 4.0, f"point {name}") for name, road in zip(SERIES, roads, strict=False)]
    told = "; ".join(
        f"{road.road.title} {dollars(road.fixed_usd)} at none, {dollars(road.at(most))} at {volume(most)}"
        for road in roads
    )
    months = economics.horizon_months
    return picture(WIDTH, FOOT + 40, f"Total cost over {months} months, by requests a day", told, *parts)


def _crossing(economics: Economics, roads: Sequence[Straight], most: float, at: object) -> list[Markup]:
    assert callable(at)  # noqa: S101
    even = economics.break_even_per_day
    if even is None or not math.isfinite(even.value) or not 0 < even.value <= most:
        return []
    low = max(even.low, 0.0) if math.isfinite(even.low) else 0.0
    high = min(even.high, most) if math.isfinite(even.high) else most
    left, right, x = at(low, 0)[0], at(high, 0)[0], at(even.value, 0)[0]
    band = path([(left, TOP), (right, TOP), (right, FOOT), (left, FOOT)], "band", closed=True)
    near_have = economics.requests_per_day is not None and abs(at(economics.requests_per_day, 0)[0] - x) < 90
    y = TOP + 12 if near_have else TOP - 7
    anchor = "middle" if LEFT + 60 < x < RIGHT - 60 else "start" if x <= LEFT + 60 else "end"
    return [band, line((x, TOP), (x, FOOT), "target"), label((x, y), f"break-even {volume(even.value)}", "aim", anchor)]


def _reach(economics: Economics) -> float:
    """How many requests a day the picture holds: the declared volume and the crossing, with room to their right."""
    ends = [economics.requests_per_day or 0.0]
    even = economics.break_even_per_day
    if even is not None and math.isfinite(even.value) and even.value > 0:
        near = even.value if not ends[0] else min(even.value, 20 * ends[0])
        ends += [near, min(even.high, 2 * near) if math.isfinite(even.high) else near]
    return 1.35 * max(ends)


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
