"""What the stages of a story used, and the sums."""

from __future__ import annotations

from dataclasses import dataclass

from tailtune.core.records import Cost


@dataclass(frozen=True, slots=True)
class BillLine:
    """One per stage that ran: what it used; None when nobody counted."""

    stage: str
    cost: Cost | None

    @property
    def usd(self) -> float | None:
        """Machine time and what was paid to endpoints; None as soon as one of them is not known."""
        if self.cost is None or self.cost.usd is None or self.cost.bought_usd is None:
            return None
        return self.cost.usd + self.cost.bought_usd

    @property
    def known_usd(self) -> float:
        """Dollars that are known; 0 when none is."""
        return 0.0 if self.cost is None else (self.cost.usd or 0.0) + (self.cost.bought_usd or 0.0)


@dataclass(frozen=True, slots=True)
class Bill:
    """One per story: the stages' costs and their sums."""

    lines: tuple[BillLine, ...]

    @property
    def wall_s(self) -> float:
        """Seconds of all counted stages together."""
        return sum(line.cost.wall_s for line in self.lines if line.cost)

    @property
    def known_usd(self) -> float:
        """Dollars that are known, of machines and endpoints."""
        return sum(line.known_usd for line in self.lines)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Stages of whose dollars some are not known."""
        return tuple(line.stage for line in self.lines if line.usd is None)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Stages whose machine time has no known price."""
        return tuple(line.stage for line in self.lines if line.cost is None or line.cost.usd is None)

    @property
    def untold(self) -> tuple[str, ...]:
        """Stages that paid an endpoint nobody knows how much."""
        return tuple(line.stage for line in self.lines if line.cost is not None and line.cost.bought_usd is None)

    @property
    def usd(self) -> float | None:
        """Dollars of all stages; None as long as some are not known."""
        return None if self.unknown or not self.lines else self.known_usd

    @property
    def bought(self) -> bool:
        """Whether anything was bought from an endpoint, so that it deserves a column."""
        return any(line.cost is not None and line.cost.bought_usd != 0 for line in self.lines)
