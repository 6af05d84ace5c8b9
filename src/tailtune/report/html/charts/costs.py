"""Charts over what grows: total cost by volume, time by part, quality by labels, and how sure by how right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from tailtune.core.money import Usd
from tailtune.core.reports import CalibrationBin, CurvePoint, Economics
from tailtune.report.html.charts.sheet import (
    FOOT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Picture,
    Point,
    clipped,
    dot,
    label,
    levels,
    line,
    path,
    picture,
    round_step,
    tag,
    up,
)
from tailtune.report.numbers import (
    Scale,
    capital,
    count,
    counted,
    ms,
    percent,
    share,
    title,
    usd,
    volume,
    with_interval,
)
from tailtune.report.story import FAMILIES, Candidate, TimePart, families, time_parts
from tailtune.report.verdict import costs_by_volume

MONEY_LEFT = 62.0
SERIES = ("one", "two", "three", "four")
_TICKS = 5


def break_even(economics: Economics) -> Picture | None:
    """Total cost of every candidate over the horizon, by requests a day; the band is the interval of the crossing.

    None when fewer than two are known.
    """
    costs = costs_by_volume(economics)
    most = _reach(economics)
    if len(costs) < 2 or most <= 0:
        return None
    top = max(cost.at(most) for cost in costs) or 1.0
    step = round_step(top / (_TICKS - 1))
    height = math.ceil(top / step) * step

    def at(per_day: float, usd: Usd) -> tuple[float, float]:
        return MONEY_LEFT + per_day / most * (RIGHT - MONEY_LEFT), FOOT - usd / height * (FOOT - TOP)

    parts = []
    for place in range(round(height / step) + 1):
        y = at(0, place * step)[1]
        parts += [
            line((MONEY_LEFT, y), (RIGHT, y), "grid"),
            label((MONEY_LEFT - 6, y + 4), usd(place * step), "dim", "end"),
        ]
    aside = round_step(most / 6)
    for place in range(math.floor(most / aside + 1e-9) + 1):
        x = at(place * aside, 0)[0]
        parts.append(label((x, FOOT + 16), volume(place * aside), "dim", "middle" if x < RIGHT - 20 else "end"))
    parts.append(label(((MONEY_LEFT + RIGHT) / 2, FOOT + 33), "requests a day", "dim", "middle"))
    parts += _crossings(economics, most, at)
    for name, cost in zip(SERIES, costs, strict=False):
        parts.append(path([at(*corner) for corner in cost.corners(most)], f"series {name}"))
    have = economics.requests_per_day
    if have is not None and have <= most:
        x = at(have, 0)[0]
        parts.append(line((x, TOP), (x, FOOT), "have"))
        parts.append(label((x, TOP - 7), f"you: {volume(have)}", "dim", "middle" if x < RIGHT - 30 else "end"))
        parts += [dot(at(have, cost.at(have)), 4.0, f"point {name}") for name, cost in zip(SERIES, costs, strict=False)]
    description = "; ".join(
        f"{cost.candidate.title} {usd(cost.at(0))} at none, {usd(cost.at(most))} at {volume(most)}" for cost in costs
    )
    months = economics.horizon_months
    legend = [(f"series {name}", cost.candidate.title) for name, cost in zip(SERIES, costs, strict=False)]
    named = f"Total cost over {counted(months, 'month')}, by requests a day"
    return picture(WIDTH, FOOT + 40, named, description, *parts, legend=legend)


def _crossings(economics: Economics, most: float, at: Callable[[float, Usd], Point]) -> Iterator[Markup]:
    """Lines where the fine-tune begins and ceases to cost less, each with its interval as a band."""
    drawn = False
    for name, volumes in (
        ("break-even", economics.break_even_per_day),
        ("cheaper below", economics.cheaper_until_per_day),
    ):
        if volumes is None or not math.isfinite(volumes.value) or not 0.5 <= volumes.value <= most:
            continue
        low = max(volumes.low, 0.0) if math.isfinite(volumes.low) else 0.0
        high = min(volumes.high, most) if math.isfinite(volumes.high) else most
        left, right, x = at(low, 0)[0], at(high, 0)[0], at(volumes.value, 0)[0]
        yield path([(left, TOP), (right, TOP), (right, FOOT), (left, FOOT)], "band", closed=True)
        yield line((x, TOP), (x, FOOT), "target")
        near_have = economics.requests_per_day is not None and abs(at(economics.requests_per_day, 0)[0] - x) < 150
        y = TOP + 28 if drawn else TOP + 12 if near_have else TOP - 7  # a second name stands below the first
        drawn = True
        anchor = "middle" if MONEY_LEFT + 60 < x < RIGHT - 60 else "start" if x <= MONEY_LEFT + 60 else "end"
        yield label((x, y), f"{name} {volume(volumes.value)}", "aim", anchor)


def _reach(economics: Economics) -> float:
    """How many requests a day the picture holds: the declared volume and the crossings, with room to their right."""
    have = economics.requests_per_day or 0.0
    ends = [have]
    for volumes in (economics.break_even_per_day, economics.cheaper_until_per_day):
        if volumes is not None and math.isfinite(volumes.value) and volumes.value > 0:
            near = min(volumes.value, 20 * have) if have else volumes.value
            ends += [near, min(volumes.high, 2 * near) if math.isfinite(volumes.high) else near]
    return 1.35 * max(ends)


def curve(points: Sequence[CurvePoint], target: float | None, metric: str) -> Picture | None:
    """Quality of the cheap proxy by number of train rows, each with its interval."""
    seen = [p for p in points if p.rows > 0 and not math.isnan(p.quality.value)]
    if len(seen) < 2:
        return None
    scale = Scale.around([point.quality for point in seen], target)
    least, most = math.log(seen[0].rows), math.log(max(point.rows for point in seen))
    span = most - least or 1.0

    def across(rows: int) -> float:
        return LEFT + 22 + (math.log(rows) - least) / span * (RIGHT - LEFT - 50)

    parts = levels(scale, target)
    banded = [p for p in seen if not (math.isnan(p.quality.low) or math.isnan(p.quality.high))]
    upper = [(across(p.rows), up(scale, p.quality.high)) for p in banded]
    lower = [(across(p.rows), up(scale, p.quality.low)) for p in reversed(banded)]
    if banded:
        parts.append(path([*upper, *lower], "band", closed=True))
    line_points = [(across(p.rows), up(scale, p.quality.value)) for p in seen]
    parts.append(path(line_points, "trace"))
    for point, place in zip(seen, line_points, strict=True):
        parts.append(dot(place, 4.5, "mark"))
        parts.append(label((place[0], place[1] + 20), percent(point.quality.value), "value", "middle"))
        parts.append(label((place[0], FOOT + 16), count(point.rows), "dim", "middle"))
    description = "; ".join(f"{count(p.rows)} rows {with_interval(p.quality)}" for p in seen)
    return picture(WIDTH, FOOT + 26, f"{capital(title(metric))} by number of train rows", description, *parts)


def calibration(bins: Sequence[CalibrationBin]) -> Picture | None:
    """How often an answer is right, by how sure the model said it was; the diagonal is perfect."""
    seen = [b for b in bins if not (math.isnan(b.confidence) or math.isnan(b.accuracy))]
    if not seen:
        return None
    ends = [min(b.confidence, b.accuracy) for b in seen]
    scale = Scale(min(math.floor(min(ends) * 10) / 10, 0.9), 1.0)

    def at(confidence: float, accuracy: float) -> Point:
        return LEFT + scale.place(confidence) * (RIGHT - LEFT - 8), up(scale, accuracy)

    parts = levels(scale, None)
    for tick in scale.ticks():
        x = at(tick, scale.low)[0]
        parts += [line((x, TOP), (x, FOOT), "grid"), label((x, FOOT + 16), f"{tick * 100:.0f} %", "dim", "middle")]
    parts.append(line(at(scale.low, scale.low), at(1.0, 1.0), "target"))
    parts.append(path([at(b.confidence, b.accuracy) for b in seen], "trace"))
    parts += [dot(at(b.confidence, b.accuracy), 4.0, "mark") for b in seen]
    description = "; ".join(
        f"sure {share(b.confidence)}, right {share(b.accuracy)}, {count(b.rows)} rows" for b in seen
    )
    return picture(WIDTH, FOOT + 26, "How often right, by how sure", description, *parts)


_LEAST = 3.0  # units, so that a short bar is seen


def times(candidates: Sequence[Candidate]) -> Picture | None:
    """Mean time of each candidate as a bar of its parts, all to one scale; None when none was timed."""
    timed = [
        (candidate, candidate.latency)
        for candidate in candidates
        if candidate.latency is not None and candidate.latency.mean_ms > 0
    ]
    if not timed:
        return None
    most = max(latency.mean_ms for _, latency in timed)
    row, top, parts = 40.0, 4.0, []
    for place, (candidate, latency) in enumerate(timed):
        y = top + row * place
        parts.append(label((8, y + 14), clipped(candidate.title, 40), "name"))
        parts.append(label((WIDTH - 8, y + 14), ms(latency.mean_ms), "value", "end"))
        found = time_parts(latency) or (TimePart("whole", "the whole answer", "either", latency.mean_ms),)
        scale = (WIDTH - 16) / max(most, sum(part.mean_ms for part in found))
        scale = max(scale, _LEAST / sum(part.mean_ms for part in found))
        x = 8.0
        for part in found:
            wide = part.mean_ms * scale
            hint = tag("title", f"{part.title}: {ms(part.mean_ms)}")
            parts.append(tag("rect", hint, x=x, y=y + 20, width=wide, height=12.0, class_=f"bar {part.family}"))
            x += wide
    description = "; ".join(f"{candidate.title} {ms(latency.mean_ms)}" for candidate, latency in timed)
    seen = {family for _, latency in timed for family in families(latency)}
    legend = [(family, name) for family, name in FAMILIES.items() if family in seen]
    named = "Mean time of one answer, in its parts"
    return picture(WIDTH, top + row * len(timed), named, description, *parts, legend=legend)
