"""How often nightly checks for drift err, and how soon they see what was put in, beside Evidently's default tests.

    python benchmarks/drift.py [--quick] [--seed 1] [--cache FOLDER]
    python benchmarks/drift.py --banking77 FOLDER --snips FOLDER

BANKING77 (Casanueva et al. 2020) without ten intents, which are held out. A model of 3,000 rows answers the others: a
linear one on the embedded encoder's vectors, calibrated on 600 more. Each simulated month deals the remaining rows anew
into a reference of 3,000 and a pool of windows, which have no row in common; each night's rows are drawn from that
pool. So the pool, too, is a sample, and differs in truth, if little, from what the reference is a sample of: the more
rows a night are drawn from it, the more of that shows, and the learnt direction finds it. Rows that were always fresh
would alarm less.

- **quiet**: nothing happens. The share of months of 30 nights with any alarm, which is to be 5 % at most.
- **restless**: the same, but each intent's frequency wavers from night to night, by 20 % (its logarithm's standard
  deviation), so that a night's rows vary more than independent ones do; of 1,000 rows a night.
- **unseen**: from a random night, 10 % of the rows have one of the ten intents held out.
- **mix**: half of the intents, drawn at random, become 40 % more frequent, the others 40 % less: 20 points move.
- **typos**: 30 % of rows have two typing mistakes.
- **snips**: 5 % of rows are voice requests from SNIPS (Coucke et al. 2018).

`power` is the share of months in which the alarm comes within 30 nights of the change and not before it; `days` the
median of nights until then, the first with change counted as 1, where an alarm that never came is later than any.
Evidently's choice of tests (`_evidently.py`) sees the same nights: as published; with one factor on all its thresholds
so that 5 % of quiet months alarm, which is the rate that ours is bounded by; and with each column's threshold tuned,
where any column alarms, so that 5 % of quiet months do. Its thresholds are tuned on quiet months of the same size, the
same ones that its false alarms are counted on: all in its favour. What was put in is known from the draw alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _drift_pools import Pools, load
from _evidently import COLUMNS, SMALL_ROWS, Columns, half, single, tuned
from numpy.typing import NDArray
from scipy.stats import beta

from tailtune.core.monitored import DayCounts
from tailtune.judge.drift import Look, Reference, count, look

DATASETS = Path(__file__).resolve().parent.parent.parent / "shared" / "datasets"
SIZES, NIGHTS, LATEST_ONSET = (500, 200, 1000), 30, 14
REFERENCE_ROWS, RATE, FIRST_DAY = 3_000, 0.05, 20_000
STEADY, WAVERING = ("quiet", "restless"), 0.2
Rows = NDArray[np.int64]
Draw = Callable[[int], Rows]


@dataclass(frozen=True)
class Months:
    """How many months are simulated.

    Attributes:
        quiet: Rows a night → months without drift.
        restless: Months whose mix wavers.
        drifting: Months of each change and size.
        peer_quiet: Months without drift that Evidently's tests see too, of each size.
        peer_drifting: The same of each change.
    """

    quiet: dict[int, int]
    restless: int
    drifting: int
    peer_quiet: int
    peer_drifting: int


FULL = Months({500: 300, 200: 100, 1000: 100}, 40, 30, 60, 20)
QUICK = Months({500: 6, 200: 3, 1000: 3}, 2, 2, 3, 2)


@dataclass(frozen=True)
class Month:
    """One per simulated month.

    Attributes:
        onset: Night of the change, from 0.
        found: What was found.
        large: Factors of Evidently's columns by its rules for large references, (nights, columns); None if not seen.
        small: The same with 1,000 rows of the reference.
        grown: Answers of the intents that became more frequent; empty where the mix was left alone.
    """

    onset: int
    found: Look
    large: NDArray[np.float64] | None
    small: NDArray[np.float64] | None
    grown: frozenset[str] = frozenset()


class Simulation:
    """Draws months and has them checked."""

    def __init__(self, pools: Pools, seed: int) -> None:
        self.pools, self.random = pools, np.random.default_rng(seed)
        self.columns = Columns.of(pools.numbers, pools.answers, pools.texts)

    def month(self, change: str, size: int, with_peer: bool) -> Month:
        """One month, from a reference of its own."""
        order = self.random.permutation(self.pools.known)
        rows, pool = np.split(order, [REFERENCE_ROWS])
        reference = Reference.of(self.pools.sample(rows))
        quiet: Draw = lambda size: self.random.choice(pool, size)  # noqa: E731
        changed, grown = self._changed(change, quiet, pool)
        onset = 0 if change in STEADY else int(self.random.integers(0, LATEST_ONSET + 1))
        nights = onset + NIGHTS
        days: list[DayCounts] = []
        large, small = [], []
        for night in range(nights):
            drawn = (changed if night >= onset else quiet)(size)
            days.append(count(reference, self.pools.sample(drawn), FIRST_DAY + night, days))
            if with_peer:
                large.append(self.columns.factors(rows, drawn))
                small.append(self.columns.factors(rows[:SMALL_ROWS], drawn))
        seen = look(reference, days, rate=RATE)
        return Month(onset, seen, np.array(large) if large else None, np.array(small) if small else None, grown)

    def _changed(self, change: str, quiet: Draw, pool: Rows) -> tuple[Draw, frozenset[str]]:
        pools, random = self.pools, self.random
        if change in ("unseen", "snips"):
            source, share = (pools.unseen, 0.1) if change == "unseen" else (pools.foreign, 0.05)

            def mixed(size: int) -> Rows:
                foreign = int(random.binomial(size, share))
                return random.permutation(np.concatenate([quiet(size - foreign), random.choice(source, foreign)]))

            return mixed, frozenset()
        if change == "typos":
            return lambda size: np.where(
                random.random(size) < 0.3, pools.typed[(drawn := quiet(size))], drawn
            ), frozenset()
        intents, place = np.unique(pools.intents[pool], return_inverse=True)
        if change == "restless":

            def wavering(size: int) -> Rows:
                weights = np.exp(random.normal(0, WAVERING, intents.size))[place]
                return random.choice(pool, size, p=weights / weights.sum())

            return wavering, frozenset()
        if change == "mix":
            grown = random.permutation(intents)[: intents.size // 2]
            weights = np.where(np.isin(pools.intents[pool], grown), 1.4, 0.6)
            weights /= weights.sum()
            return lambda size: random.choice(pool, size, p=weights), frozenset(grown.tolist())
        return quiet, frozenset()


def main() -> int:
    """Print a table of false alarms and one of power."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banking77", type=Path, default=DATASETS / "banking77")
    options.add_argument("--snips", type=Path, default=DATASETS / "snips")
    options.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "tailtune-drift")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="a few months only: does it run at all?")
    given = options.parse_args()
    for file in (given.banking77 / "train.csv", given.snips / "train.jsonl"):
        if not file.is_file():
            print(f"skipped: {file} is not there; it is not part of a clone (--banking77, --snips)")
            return 0
    start, months = time.perf_counter(), QUICK if given.quick else FULL
    pools = load(given.banking77, given.snips, given.cache)
    print(
        f"{pools.known.size:,} rows that the model knows the intents of ({pools.accuracy:.1%} answered right), "
        f"{pools.unseen.size:,} of unseen intents, {pools.foreign.size:,} of SNIPS; {time.perf_counter() - start:.0f} s"
    )
    simulation = Simulation(pools, given.seed)
    quiet = {size: false_alarms(simulation, size, months, start) for size in SIZES}
    wavering = [simulation.month("restless", 1000, False).found.alarm_day for _ in range(months.restless)]
    print(f"\nrestless, 1,000 rows a night; after {time.perf_counter() - start:.0f} s")
    print(f"  {'TailTune':38}{rate(sum(day is not None for day in wavering), len(wavering))}")
    print(f"\npower and days of {months.drifting} months of each, of the first {months.peer_drifting} by Evidently")
    print(f"{'':14}{'TailTune':>14}{'Evidently, of all the reference':>42}{f'of {SMALL_ROWS:,} rows':>42}")
    print(f"{'change':8}{'rows':>6}{'':14}" + 2 * f"{'published':>14}{'tuned, half':>14}{'tuned, any':>14}")
    for change in ("unseen", "mix", "typos", "snips"):
        for size in SIZES:
            power(simulation, change, size, months, quiet[size])
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


@dataclass(frozen=True)
class Quiet:
    """Evidently's factors in quiet months of one size, (months, nights, columns) each."""

    large: NDArray[np.float64]
    small: NDArray[np.float64]


def false_alarms(simulation: Simulation, size: int, months: Months, start: float) -> Quiet:
    """Print how many quiet months alarm."""
    drawn = []
    for number in range(months.quiet[size]):
        drawn.append(simulation.month("quiet", size, number < months.peer_quiet))
        if (number + 1) % 50 == 0:
            print(f"  {number + 1} months, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"\nquiet, {size:,} rows a night, {NIGHTS} nights a month; after {time.perf_counter() - start:.0f} s")
    alarms = sum(month.found.alarm_day is not None for month in drawn)
    most = max(max(month.found.path) for month in drawn)
    print(f"  {'TailTune':38}{rate(alarms, len(drawn))}; most evidence {most:.2f} of an alarm's")
    large = np.array([month.large for month in drawn if month.large is not None])
    small = np.array([month.small for month in drawn if month.small is not None])
    for name, factors in (("Evidently, as published", large), (f"Evidently, {SMALL_ROWS:,} reference rows", small)):
        over = half(factors) >= 1
        columns = ", ".join(
            f"{column} {share:.0%}" for column, share in zip(COLUMNS, (factors >= 1).mean(axis=(0, 1)), strict=True)
        )
        print(f"  {name:38}{rate(int(over.any(axis=1).sum()), len(over))}; {over.mean():.1%} of nights ({columns})")
    return Quiet(large, small)


def rate(alarms: int, months: int) -> str:
    """A share of months with its exact interval."""
    low = 0.0 if alarms == 0 else beta.ppf(0.025, alarms, months - alarms + 1)
    high = 1.0 if alarms == months else beta.ppf(0.975, alarms + 1, months - alarms)
    return f"{alarms:>4} of {months} months alarm ({alarms / months:.1%}, {low:.1%} to {high:.1%})"


def power(simulation: Simulation, change: str, size: int, months: Months, quiet: Quiet) -> None:
    """Print how many changes were seen, and how soon."""
    drawn = [simulation.month(change, size, number < months.peer_drifting) for number in range(months.drifting)]
    alarms = [(month.onset, month.found.alarm_day) for month in drawn]
    cells = [cell([None if day is None else day - FIRST_DAY - onset for onset, day in alarms])]
    for kept in ("large", "small"):
        base: NDArray[np.float64] = getattr(quiet, kept)
        seen = [(month.onset, getattr(month, kept)) for month in drawn if getattr(month, kept) is not None]
        halves = [(onset, half(factors)) for onset, factors in seen]
        singles = [(onset, single(factors, base)) for onset, factors in seen]
        for scores, limit in (
            (halves, 1.0),
            (halves, tuned(half(base), RATE)),
            (singles, tuned(single(base, base), RATE)),
        ):
            cells.append(cell([first_night(score >= limit, onset) for onset, score in scores]))
    print(f"{change:8}{size:>6,}" + "".join(f"{text:>14}" for text in cells) + named(change, drawn), flush=True)


def first_night(alarms: NDArray[np.bool_], onset: int) -> int | None:
    """Nights from the change to the first alarm since; negative where one came before the change; None without any."""
    if alarms[:onset].any():
        return -1
    return int(np.argmax(alarms[onset:])) if alarms[onset:].any() else None


def cell(days: list[int | None]) -> str:
    """Power and median nights of one way to check; a night below 0 is an alarm before the change."""
    in_time = [day is not None and 0 <= day < NIGHTS for day in days]
    waits = sorted(day + 1 if ok and day is not None else NIGHTS + 1 for day, ok in zip(days, in_time, strict=True))
    middle = float(np.median(waits))
    return f"{np.mean(in_time):.0%} {f'>{NIGHTS}' if middle > NIGHTS else f'{middle:g}':>4}"


def named(change: str, months: list[Month]) -> str:
    """In how many months the first answer that is named did move as it says, as the draw knows."""
    if change != "mix":
        return ""
    right = 0
    for month in months:
        first = next((each for each in month.found.findings if each.measure == "answer" and each.part), None)
        right += first is not None and (first.part in month.grown) == first.more
    return f"  first named class right in {right / len(months):.0%}"


if __name__ == "__main__":
    sys.exit(main())
