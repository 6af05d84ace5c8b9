"""A figure day by day, with its interval where it has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailtune.report.html.charts.sheet import (
    LEFT,
    RIGHT,
    TOP,
    Picture,
    dot,
    label,
    line,
    path,
    picture,
    round_step,
    tag,
)

_FOOT = 130.0
_HEIGHT = 156.0
_MARKED = 45


@dataclass(frozen=True)
class DayValue:
    """One per day that has the figure.

    Attributes:
        place: Of the day among all days of the chart, from 0.
        value: The figure.
        low: Low end of its interval; the value itself where it has none.
        high: High end.
    """

    place: int
    value: float
    low: float
    high: float


def over_days(
    title: str,
    days: Sequence[str],
    values: Sequence[DayValue],
    shown: Callable[[float], str],
    limit: tuple[float, str] | None = None,
    from_zero: bool = True,
) -> Picture | None:
    """A line over days; None with fewer than two values.

    Args:
        title: What is shown.
        days: Names of all days, in order.
        values: Those that there are.
        shown: How a value is written.
        limit: A value to be seen beside, and what it is called.
        from_zero: Whether the axis begins at 0.
    """
    if len(values) < 2:
        return None
    ends = [end for each in values for end in (each.low, each.high)] + ([limit[0]] if limit else [])
    bottom, top = (0.0 if from_zero else min(ends)), max(ends)
    step = round_step((top - bottom) / 3 or abs(top) / 3 or 1.0)
    bottom = 0.0 if from_zero else math.floor(bottom / step) * step
    steps = max(1, math.ceil((top - bottom) / step - 1e-9))
    top = bottom + steps * step

    def at(place: float, value: float) -> tuple[float, float]:
        x = LEFT + place / max(1, len(days) - 1) * (RIGHT - LEFT)
        return x, _FOOT - (value - bottom) / (top - bottom) * (_FOOT - TOP)

    parts = []
    for place in range(steps + 1):
        value = bottom + place * step
        y = at(0, value)[1]
        parts += [line((LEFT, y), (RIGHT, y), "grid"), label((LEFT - 6, y + 4), shown(value), "dim", "end")]
    if any(each.low < each.value < each.high for each in values):
        corners = [at(each.place, each.high) for each in values] + [at(each.place, each.low) for each in values[::-1]]
        parts.append(tag("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners), class_="band one"))
    if limit is not None:
        y = at(0, limit[0])[1]
        parts += [line((LEFT, y), (RIGHT, y), "target"), label((LEFT + 4, y - 5), limit[1], "aim")]
    parts.append(path([at(each.place, each.value) for each in values], "series one"))
    if len(values) <= _MARKED:
        parts += [dot(at(each.place, each.value), 2.4, "point one") for each in values]
    parts.append(label((LEFT, _FOOT + 17), days[0], "dim", "start"))
    parts.append(label((RIGHT, _FOOT + 17), days[-1], "dim", "end"))
    last = values[-1]
    description = f"{len(values)} days from {days[values[0].place]} to {days[last.place]}; last {shown(last.value)}"
    return picture((RIGHT - LEFT) + LEFT + 8, _HEIGHT, title, description, *parts)
