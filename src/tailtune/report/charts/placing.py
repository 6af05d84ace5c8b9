"""Names beside marks that cover neither each other nor a mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LETTER, LINE = 6.6, 14.0  # widest usual letter and height of a line of 12.5 px text, in units
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
