"""Quality, cost and time of every candidate in one picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tailtune.core.money import Usd
from tailtune.report.html.charts.sheet import (
    LEFT,
    LETTER,
    LINE,
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
    up,
)
from tailtune.report.numbers import Scale, capital, milliseconds, ms, share, title, usd, with_interval
from tailtune.report.story import Candidate, Kind, undominated

FOOT = 380.0
KINDS: Mapping[Kind, str] = {"local": "runs on your machine", "prompted": "a prompted model", "tuned": "the fine-tune"}
_SIZES = (1.0, 30.0, 1000.0)  # milliseconds in the key


def radius(p99_ms: float | None) -> float:
    """How large a mark is: it grows with the logarithm of the time of one answer."""
    return 4.0 if p99_ms is None or p99_ms <= 0 else min(max(3.2 + 2.1 * math.log10(max(p99_ms, 1.0)), 3.2), 11.0)


def drawn(candidates: Sequence[Candidate], target: float | None) -> tuple[list[Candidate], Scale]:
    """Ways that the picture shows, with its scale: those with price and quality, none far below the rest; or none."""
    seen = [
        candidate for candidate in candidates if candidate.usd is not None and not math.isnan(candidate.quality.value)
    ]
    scale = Scale.around([candidate.quality for candidate in seen], target)
    near = [candidate for candidate in seen if scale.place(candidate.quality.value) >= 0]
    enough = len(near) > 1 and any(_usd(candidate) > 0 for candidate in near)
    return (near if enough else []), scale


def trade_off(candidates: Sequence[Candidate], target: float | None, best: str) -> Picture | None:
    """Quality against cost (logarithmic), slow candidates as large marks; None when fewer than two have a price.

    A candidate that costs nothing stands at the left edge.
    """
    near, scale = drawn(candidates, target)
    if not near:
        return None
    across, powers = _axis(near)
    ranked = sorted(near, key=lambda candidate: (candidate.name != best, -candidate.quality.value))
    points = {candidate.name: (across(_usd(candidate)), up(scale, candidate.quality.value, FOOT)) for candidate in near}
    whiskers = {candidate.name: _arms(candidate, points[candidate.name], across, scale) for candidate in near}
    edge = undominated(near)
    parts = [*_upright(across, powers), *levels(scale, target, FOOT, named=False)]
    if len(edge) > 1:
        parts.append(path(_steps([points[candidate.name] for candidate in edge]), "edge"))
    parts += [
        line(a, b, f"whisker thin {_class(candidate, best)}") for candidate in near for a, b in whiskers[candidate.name]
    ]
    parts += [
        dot(points[candidate.name], _radius(candidate), f"mark {_class(candidate, best)}")
        for candidate in reversed(ranked)
    ]
    avoid = [_strip(a, b) for arms in whiskers.values() for a, b in arms]
    parts += _names(ranked, points, avoid, best)
    parts += _key()
    description = "; ".join(
        f"{candidate.title}{_aside(candidate)} {with_interval(candidate.quality)} at {usd(_usd(candidate))} per 1,000"
        + (f", p99 {ms(candidate.latency.p99_ms)}" if candidate.latency else "")
        for candidate in near
    )
    named = f"{capital(title(near[0].scored.metric))} against the cost of 1,000 answers"
    kinds = {candidate.kind for candidate in near if not candidate.ignores_text}
    legend: list[tuple[str, str]] = [(kind, name) for kind, name in KINDS.items() if kind in kinds]
    legend += [("to-beat", "line to beat")] if any(candidate.ignores_text for candidate in near) else []
    legend += [] if target is None else [("aim", f"target {share(target)}")]
    return picture(WIDTH, FOOT + 70, named, description, *parts, legend=legend)


def _usd(candidate: Candidate) -> Usd:
    return candidate.usd.value if candidate.usd else 0.0


def _radius(candidate: Candidate) -> float:
    return radius(candidate.latency.p99_ms if candidate.latency else None)


def _aside(candidate: Candidate) -> str:
    return ", line to beat," if candidate.ignores_text else ""


def _class(candidate: Candidate, best: str) -> str:
    if candidate.name == best:
        return f"{candidate.kind} best"
    return "to-beat" if candidate.ignores_text else candidate.kind


def _axis(near: Sequence[Candidate]) -> tuple[Callable[[float], float], range]:
    prices = [price for candidate in near if (price := _usd(candidate)) > 0]
    first, last = math.floor(math.log10(min(prices))), math.ceil(math.log10(max(prices)) + 1e-9)
    last = max(last, first + 1)

    def across(value: float) -> float:
        power = first if value <= 0 else math.log10(value)
        return LEFT + 8 + min(max((power - first) / (last - first), 0.0), 1.0) * (RIGHT - LEFT - 16)

    return across, range(first, last + 1)


def _upright(across: Callable[[float], float], powers: range) -> list[Markup]:
    every = 1 if len(powers) <= (5 if powers[0] >= -5 else 4) else 2  # $0.000001 is as wide as two others
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


def _arms(candidate: Candidate, at: Point, across: Callable[[float], float], scale: Scale) -> list[tuple[Point, Point]]:
    x, y = at
    found: list[tuple[Point, Point]] = []
    quality, price = candidate.quality, candidate.usd
    if not (math.isnan(quality.low) or math.isnan(quality.high)):
        found.append(((x, up(scale, quality.low, FOOT)), (x, up(scale, quality.high, FOOT))))
    if price is not None and price.high > price.low:
        found.append(((across(price.low), y), (across(price.high), y)))
    return found


def _strip(start: Point, end: Point) -> Box:
    return Box(min(start[0], end[0]) - 1, min(start[1], end[1]), max(start[0], end[0]) + 1, max(start[1], end[1]) + 1)


def _steps(points: Sequence[Point]) -> list[Point]:
    """The edge of what is possible: no dearer candidate is drawn worse than a cheaper one."""
    found = [points[0]]
    for before, after in pairwise(points):
        found += [(after[0], before[1]), after]
    return found


def _names(ranked: Sequence[Candidate], points: dict[str, Point], avoid: Sequence[Box], best: str) -> list[Markup]:
    marks = [
        Mark(*points[candidate.name], _radius(candidate), _short(candidate), candidate.name == best)
        for candidate in ranked
    ]
    frame = Box(LEFT, 4, RIGHT + 6, FOOT)
    parts = []
    for candidate, mark, box in zip(ranked, marks, placed(marks, frame, avoid), strict=True):
        if box is None:
            continue
        end = min(max(mark.x, box.left), box.right), (box.top + box.bottom) / 2
        if math.dist(end, (mark.x, mark.y)) > mark.radius + 12:
            parts.append(line((mark.x, mark.y), end, "lead"))
        left = box.right < mark.x
        at = (box.right if left else box.left, box.bottom - 3)
        parts.append(label(at, mark.name, f"name {_class(candidate, best)}", "end" if left else "start"))
    return parts


def _short(candidate: Candidate) -> str:
    """A title as short as its colour allows: that it is a prompt is said by the mark."""
    title = candidate.title
    for opening in ("Best prompt, ", "Prompt, ", "Prompt ") if candidate.kind == "prompted" else ():
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


_STEPS = 24
_COVERED = 5.0  # what covering a whisker weighs against a step away from the mark
_CONFUSING = 3  # how many whiskers a name beside another's mark weighs as much as
_NEAR = 8.0


@dataclass(frozen=True, slots=True)
class Box:
    """One per thing that takes room."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether two boxes share room."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        """Whether all of it lies in another box."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """One per mark that wants a name beside it: its centre, its radius, the name, and whether it is bold."""

    x: float
    y: float
    radius: float
    name: str
    bold: bool = False

    @property
    def box(self) -> Box:
        """The room the mark takes."""
        return Box(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)

    @property
    def near(self) -> Box:
        """The room in which a name would be taken for this mark's."""
        reach = self.radius + _NEAR
        return Box(self.x - reach, self.y - reach, self.x + reach, self.y + reach)


def placed(marks: Sequence[Mark], frame: Box, avoid: Sequence[Box] = ()) -> list[Box | None]:
    """Room for the name of every mark, as near to it as there is some.

    Args:
        marks: In order of importance: the first finds the most room.
        frame: Names stay inside.
        avoid: What a name had better not cover; it does where everything nearby is taken.

    Returns:
        One box a mark, none of which meets another or a mark; None where the frame is full.
    """
    full = [mark.box for mark in marks]
    found: list[Box | None] = []
    for mark in marks:
        free = [(far, box) for far, box in _around(mark) if box.inside(frame) and not any(map(box.meets, full))]
        others = [*avoid, *(other.near for other in marks if other is not mark for _ in range(_CONFUSING))]
        scored = [(far + _COVERED * sum(map(box.meets, others)), box) for far, box in free]
        best = min(scored, key=lambda one: one[0], default=None)
        found.append(None if best is None else best[1])
        if best is not None:
            full.append(best[1])
    return found


def _around(mark: Mark) -> Iterator[tuple[float, Box]]:
    """Places for a name with how far they are: right of the mark, left of it, above and below, further and further."""
    wide, gap = len(mark.name) * LETTER * (1.1 if mark.bold else 1.0), mark.radius + 4
    for step in range(_STEPS):
        for sign in (1, -1) if step else (1,):
            y = mark.y + sign * step * LINE / 2
            for far, left in (
                (0.0, mark.x + gap),
                (1.0, mark.x - gap - wide),
                (3.0, mark.x - wide / 2),
                (14.0, mark.x + gap + 24),
                (15.0, mark.x - gap - 24 - wide),
            ):
                yield far + step * 5, Box(left, y - LINE / 2, left + wide, y + LINE / 2)
