"""Where the time of an answer goes, a bar a way."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tailtune.report.charts.sheet import WIDTH
from tailtune.report.numbers import ms
from tailtune.report.slowness import Part, split
from tailtune.report.svg import clipped, label, picture, tag
from tailtune.report.ways import Way

_LEAST = 3.0  # units, so that a short bar is seen


def time_parts(ways: Sequence[Way]) -> Markup:
    """Mean time of each way as a bar of its parts, all to one scale; empty when none was timed."""
    timed = [(way, way.latency) for way in ways if way.latency is not None and way.latency.mean_ms > 0]
    if not timed:
        return Markup("")
    most = max(latency.mean_ms for _, latency in timed)
    row, top, parts = 40.0, 4.0, []
    for place, (way, latency) in enumerate(timed):
        y = top + row * place
        parts.append(label((8, y + 14), clipped(way.title, 40), "name"))
        parts.append(label((WIDTH - 8, y + 14), ms(latency.mean_ms), "value", "end"))
        found = split(latency) or (Part("whole", "the whole answer", "either", latency.mean_ms),)
        scale = (WIDTH - 16) / max(most, sum(part.mean_ms for part in found))
        scale = max(scale, _LEAST / sum(part.mean_ms for part in found))
        x = 8.0
        for part in found:
            wide = part.mean_ms * scale
            told = tag("title", f"{part.title}: {ms(part.mean_ms)}")
            parts.append(tag("rect", told, x=x, y=y + 20, width=wide, height=12.0, class_=f"bar {part.family}"))
            x += wide
    told_all = "; ".join(f"{way.title} {ms(latency.mean_ms)}" for way, latency in timed)
    return picture(WIDTH, top + row * len(timed), "Mean time of one answer, in its parts", told_all, *parts)
