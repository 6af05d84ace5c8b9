"""Lines over what grows: quality by number of labelled rows, and by how sure the model is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tailtune.core.reports import CalibrationBin, CurvePoint
from tailtune.report.charts.sheet import FOOT, LEFT, RIGHT, TOP, WIDTH, levels, up
from tailtune.report.measured import capital, title
from tailtune.report.numbers import count, percent, share, with_interval
from tailtune.report.scale import Scale
from tailtune.report.svg import Point, dot, label, line, path, picture


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
        return LEFT + scale.place(confidence) * (RIGHT - LEFT - 8), up(scale, accuracy)

    parts = levels(scale, None)
    for tick in scale.ticks():
        x = at(tick, scale.low)[0]
        parts += [line((x, TOP), (x, FOOT), "grid"), label((x, FOOT + 16), f"{tick * 100:.0f} %", "dim", "middle")]
    parts.append(line(at(scale.low, scale.low), at(1.0, 1.0), "target"))
    parts.append(path([at(b.confidence, b.accuracy) for b in seen], "trace"))
    parts += [dot(at(b.confidence, b.accuracy), 4.0, "mark") for b in seen]
    told = "; ".join(f"sure {share(b.confidence)}, right {share(b.accuracy)}, {count(b.rows)} rows" for b in seen)
    return picture(WIDTH, FOOT + 26, "How often right, by how sure", told, *parts)
