"""Between which volumes one candidate costs less than another, where the cores that serve them grow with the volume.

Cores are whole, so that the cost of serving is a staircase. A candidate can be cheaper from some volume up, below one,
or between two; a gap that is narrower than what one core answers is not told apart from its surroundings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.money import Usd
from tailtune.core.records import Serving

Floats = NDArray[np.float64]
NO_CORES = Serving()
Volumes = tuple[float, float]
"""Requests a day: the least and the most; the most is infinite where there is no end."""
_MOST_STEPS = 2_000
_MOST_PER_DAY = 1e300


@dataclass(frozen=True)
class Saving:
    """One per pair of candidates: what the first saves over the horizon, by volume.

    Attributes:
        each_usd: For one request a day, cores aside; negative when it costs more.
        fixed_usd: What it costs more whatever the volume, cores aside.
        ours: Cores that serve the first.
        theirs: Cores that serve the second.
    """

    each_usd: Usd
    fixed_usd: Usd
    ours: Serving = NO_CORES
    theirs: Serving = NO_CORES

    def cheaper(self, near: float) -> Volumes | None:
        """The volumes at which the first costs less: those around `near`, or else next to it; None when at none."""
        starts = np.array([0.0, *self._steps()])
        slopes = np.full(starts.size, self.each_usd)
        slopes[-1] = self._long_run
        # What a line of each stretch saves at no request; after the last step, cores count as if they were not whole.
        consts = self._offsets(starts) + (self.each_usd - slopes) * starts
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            crossings = -consts / slopes
        lows = np.where(slopes > 0, np.maximum(starts, crossings), starts)
        highs = np.append(starts[1:], math.inf)
        highs = np.where(slopes < 0, np.minimum(highs, crossings), highs)
        holds = (lows < highs) & (lows < _MOST_PER_DAY) & ((slopes != 0) | (consts > 0))
        ranges = self._joined(lows[holds], highs[holds])
        return min(ranges, key=lambda ends: max(ends[0] - near, near - ends[1], 0.0), default=None)

    @property
    def _stairs(self) -> list[tuple[Serving, float]]:
        """Candidates whose cores grow with the volume, with the requests a day that one core answers."""
        both = (self.ours, self.theirs)
        return [(each, each.per_core) for each in both if each.per_core is not None and each.core_usd]

    @property
    def _long_run(self) -> Usd:
        """What a request a day saves in the long run, cores included."""
        ours, theirs = (
            (each.core_usd or 0.0) / each.per_core if each.per_core else 0.0 for each in (self.ours, self.theirs)
        )
        return self.each_usd - ours + theirs

    def _offsets(self, starts: Floats) -> Floats:
        """What is saved just above each volume, requests aside."""
        return _usd_above(self.theirs, starts) - _usd_above(self.ours, starts) - self.fixed_usd

    def _steps(self) -> Floats:
        """Volumes above which either needs one more core, ascending, up to where the long run decides."""
        if not self._stairs:
            return np.zeros(0)
        bound = abs(self._offsets(np.zeros(1))[0]) + sum((each.core_usd or 0.0) * 2 for each, _ in self._stairs)
        most = min(per_core * (each.least + _MOST_STEPS) for each, per_core in self._stairs)
        if self._long_run:
            most = min(most, max(bound / abs(self._long_run), *(each.least * per for each, per in self._stairs)))
        every = [per_core * np.arange(each.least, math.floor(most / per_core) + 1) for each, per_core in self._stairs]
        steps = np.unique(np.concatenate(every))
        return steps[steps > 0]

    def _joined(self, lows: Floats, highs: Floats) -> list[Volumes]:
        """Ranges as one where less than a core's step lies between them."""
        found: list[Volumes] = []
        for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
            if found and low - found[-1][1] <= self._step_at(found[-1][1]):
                found[-1] = found[-1][0], high
            else:
                found.append((low, high))
        return found

    def _step_at(self, per_day: float) -> float:
        """Requests a day that a core answers, of the candidates that need one more there; 0 of none."""
        near = per_day * (1 + 1e-9)
        return max((per_core for each, per_core in self._stairs if near >= each.least * per_core), default=0.0)


def _usd_above(serving: Serving, starts: Floats) -> Floats:
    """What cores cost just above each volume."""
    if serving.per_core is None:
        cores = np.full(starts.size, float(serving.least))
    else:
        cores = np.maximum(serving.least, np.floor(starts / serving.per_core + 1e-6) + 1)
    return cores * (serving.core_usd or 0.0)
