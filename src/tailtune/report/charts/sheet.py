"""What pictures share: their width, the frame of an x-y picture, and its horizontal lines of quality."""

from __future__ import annotations

from markupsafe import Markup

from tailtune.report.numbers import share
from tailtune.report.scale import Scale
from tailtune.report.svg import label, line

WIDTH = 400.0
LEFT, RIGHT = 44.0, 392.0
TOP, FOOT = 22.0, 252.0


def up(scale: Scale, value: float, foot: float = FOOT) -> float:
    """The height of a share, kept inside the picture."""
    return foot - min(max(scale.place(value), 0.0), 1.0) * (foot - TOP)


def levels(scale: Scale, target: float | None, foot: float = FOOT, named: bool = True) -> list[Markup]:
    """Horizontal lines at round shares, and the target's, with its name unless that stands elsewhere."""
    parts = [line((LEFT, up(scale, t, foot)), (RIGHT, up(scale, t, foot)), "grid") for t in scale.ticks()]
    parts += [label((LEFT - 6, up(scale, t, foot) + 4), f"{t * 100:.0f} %", "dim", "end") for t in scale.ticks()]
    if target is not None:
        y = up(scale, target, foot)
        parts.append(line((LEFT, y), (RIGHT, y), "target"))
        parts += [label((LEFT, y - 6), f"target {share(target)}", "aim")] if named else []
    return parts
