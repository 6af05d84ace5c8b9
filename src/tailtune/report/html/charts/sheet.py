"""What pictures share: their width, the frame of an x-y picture, and its horizontal lines of quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from tailtune.report.numbers import Scale, share

WIDTH = 400.0
LETTER, LINE = 6.6, 14.0  # widest usual letter and height of a line of 12.5 px text, in units
STYLE = Path(__file__).with_name("charts.css")
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


Point = tuple[float, float]


def tag(name: str, *inside: str, **attributes: str | float) -> Markup:
    """One element; what stands inside and in attributes is escaped unless it is Markup already.

    Args:
        name: Element name.
        inside: Content, in order.
        attributes: Attributes; `_` in a name is written `-`, and a trailing `_` is left out (`class_`).
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{shown}>{''.join(escape(piece) for piece in inside)}</{name}>")  # noqa: S704


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Picture:
    """One per chart: drawn inside the page, or as a file of its own.

    Attributes:
        width: In units.
        height: In units.
        title: Its name.
        description: What it shows, with the numbers, for readers who do not see it.
        content: The drawing.
    """

    width: float
    height: float
    title: str
    description: str
    content: Markup

    def __html__(self) -> str:
        """The picture as a part of the page, which has its style."""
        box = f"0 0 {_short(self.width)} {_short(self.height)}"
        return tag("svg", *self._words(), self.content, viewBox=box, role="img", aria_label=self.title)

    def __str__(self) -> str:
        return self.__html__()

    def file(self) -> str:
        """The picture as a file: with its name in view, a background and its style."""
        wide, tall = self.width + 24, self.height + 40
        style = tag("style", Markup(STYLE.read_text(encoding="utf-8")))  # noqa: S704 - our own file
        ground = tag("rect", x=-12.0, y=-32.0, width=wide, height=tall, class_="paper")
        name = label((8, -12), self.title, "heading")
        return tag(
            "svg",
            *self._words(),
            style,
            ground,
            name,
            self.content,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"-12 -32 {_short(wide)} {_short(tall)}",
            width=2 * wide,
            height=2 * tall,
        )

    def _words(self) -> tuple[Markup, Markup]:
        return tag("title", self.title), tag("desc", self.description)


def picture(
    width: float, height: float, title: str, description: str, *inside: Markup, legend: Sequence[tuple[str, str]] = ()
) -> Picture:
    """A whole picture.

    Args:
        width: In units.
        height: In units, without the legend.
        title: Its name.
        description: What it shows, with the numbers.
        inside: What is drawn.
        legend: (class of a swatch, what it stands for), drawn above the rest.
    """
    swatches, above = _legend(legend, width)
    content = Markup("").join(inside)
    if swatches:
        content = Markup("").join((*swatches, tag("g", content, transform=f"translate(0 {_short(above)})")))
    return Picture(width, height + above, title, description, content)


def _legend(items: Sequence[tuple[str, str]], width: float) -> tuple[list[Markup], float]:
    """Swatches with their names, in as many rows as they need, and the height they take."""
    parts: list[Markup] = []
    x, y = 8.0, 10.0
    for kind, name in items:
        wide = 34 + len(name) * LETTER
        if x > 8 and x + wide > width:
            x, y = 8.0, y + 19
        hollow = kind == "to-beat"
        swatch = dot((x + 7, y), 4.5, f"mark {kind}") if hollow else line((x + 4, y), (x + 10, y), f"swatch {kind}")
        parts += [swatch, label((x + 21, y + 4), name, "dim")]
        x += wide
    return parts, y + 14 if parts else 0.0


def line(start: Point, end: Point, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def dot(at: Point, radius: float, class_: str) -> Markup:
    """A filled circle."""
    return tag("circle", cx=at[0], cy=at[1], r=radius, class_=class_)


def label(at: Point, text: str, class_: str = "", anchor: str = "start") -> Markup:
    """A piece of text, its baseline at a point."""
    return tag("text", text, x=at[0], y=at[1], class_=class_, text_anchor=anchor)


def path(points: Sequence[Point], class_: str, closed: bool = False) -> Markup:
    """A polyline, or the area it encloses."""
    steps = " ".join(f"{'L' if n else 'M'}{_short(x)} {_short(y)}" for n, (x, y) in enumerate(points))
    return tag("path", d=steps + (" Z" if closed else ""), class_=class_)


def clipped(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def ticked(text: str) -> Markup:
    """Text whose parts between backticks are code; all of it is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a tick without its partner is a tick
        return Markup(escape(text))  # noqa: S704
    return Markup("").join(tag("code", part) if place % 2 else escape(part) for place, part in enumerate(parts))


def round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten: how far lines of an axis lie apart."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
