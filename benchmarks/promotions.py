"""What is promoted over 20 weekly retrains on one test set: by luck, and with a real gain. Old rules beside new.

    python benchmarks/promotions.py [--runs 400] [--seed 1] [--rule not-worse] [--rows 1000]

The oracle is the generator, with numpy alone: the true quality of every version is set. A champion and its retrains
read the same rows and find the same ones hard, so that they agree on most; `differ` is the share of rows that one of
two alone has right. Rows stand alone or in groups of five that are easy or hard together.

| column | versions | what counts |
| --- | --- | --- |
| `better`, by luck | 20 retrains, each truly as good as the champion | lives in which any is promoted |
| `better`, real | each 3 points better | promoted at look 1, and at look 20 |
| `not-worse`, by luck | 20 retrains, each truly 1 point worse, the margin | lives in which any is promoted |
| `not-worse`, real | each truly as good | promoted at look 1, and at look 20 |

At most 5 % may be promoted by luck; a line with more is marked.

Old: the percentile bootstrap over rows, McNemar's test at 5 % each time, −0.5 points for `not-worse`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from tailtune.core.reports import Paired
from tailtune.judge.counted import Counted, Places
from tailtune.judge.intervals import difference, least_difference, swap_test
from tailtune.judge.looks import look
from tailtune.judge.promote import Compared, Rule, promote

Bools = NDArray[np.bool_]
WEEKS, GAIN, MARGIN, OLD_MARGIN = 20, 0.03, 0.01, 0.005
RULES: tuple[Rule, ...] = ("better", "not-worse")
GROUP, ALIKE = 5, 0.5
COMMON = 0.85
"""Share of the variance of a hidden normal value that two versions have in common on a row."""
SWAPS = 4_000  # a tenth of the gate's time, and enough for the error of look 20


@dataclass(frozen=True)
class Cell:
    """One per setting: rows of the test set, rows of a group, and the champion's true quality."""

    rows: int
    group: int
    quality: float


def cells() -> Iterator[Cell]:
    for rows, group, quality in product((60, 300, 1000, 3000), (1, GROUP), (0.9,)):
        yield Cell(rows, group, quality)


@dataclass(frozen=True)
class TestSet:
    """One per life: how hard each row is, and each row's group."""

    hard: NDArray[np.float64]
    groups: Places | None

    @classmethod
    def drawn(cls, cell: Cell, random: np.random.Generator) -> TestSet:
        """One of these rows."""
        own = random.standard_normal(cell.rows)
        if cell.group == 1:
            return cls(own, None)
        groups = (np.arange(cell.rows) // cell.group).astype(np.int64)
        shared = random.standard_normal(int(groups.max()) + 1)[groups]
        return cls(np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * own, groups)

    def version(self, quality: float, random: np.random.Generator) -> Bools:
        """Which rows a version of this true quality has right."""
        luck = np.sqrt(COMMON) * self.hard + np.sqrt(1 - COMMON) * random.standard_normal(self.hard.size)
        right: Bools = luck < norm.ppf(quality)
        return right


def new(first: Bools, second: Bools, groups: Places | None, rule: Rule, number: int) -> bool:
    """Whether the gate of now promotes the first."""
    ours, theirs, at = Counted.shares(first), Counted.shares(second), look(number)
    gap = difference(ours, theirs, groups)
    # The test by group takes most of the time, and only one that may be better needs it.
    p = swap_test(ours, theirs, groups, SWAPS) if rule == "better" and gap.low > 0 else 1.0
    paired = Paired(first="new", second="old", difference=gap, only_first_right=0, only_second_right=0, p=p)
    least = least_difference(ours, theirs, groups, 2 * at.error) if rule == "not-worse" else gap.low
    return promote(Compared(champion="1", paired=paired, look=at, least=least), rule, MARGIN).yes


def old(first: Bools, second: Bools, rule: Rule, random: np.random.Generator) -> bool:
    """Whether the gate of before would have."""
    ours, theirs, rows = int((first & ~second).sum()), int((second & ~first).sum()), first.size
    counts = random.multinomial(rows, [ours / rows, theirs / rows, 1 - (ours + theirs) / rows], size=1000)
    low = float(np.quantile((counts[:, 0] - counts[:, 1]) / rows, 0.025))
    if rule == "not-worse":
        return low > -OLD_MARGIN
    return low > 0 and binomtest(ours, ours + theirs, 0.5).pvalue < 0.05


def by_luck(cell: Cell, rule: Rule, random: np.random.Generator) -> tuple[bool, bool]:
    """A year's retrains, none of which should replace the champion: whether the old and the new gate promote any."""
    tests, lower = TestSet.drawn(cell, random), MARGIN if rule == "not-worse" else 0.0
    champion = tests.version(cell.quality, random)
    retrained = [tests.version(cell.quality - lower, random) for _ in range(WEEKS)]
    return (
        any(old(each, champion, rule, random) for each in retrained),
        any(new(each, champion, tests.groups, rule, week) for week, each in enumerate(retrained, 1)),
    )


def real(cell: Cell, rule: Rule, random: np.random.Generator) -> tuple[bool, bool, bool, float]:
    """One retrain that should replace the champion: by the old gate, at look 1, at look 20; and where both differ."""
    tests, higher = TestSet.drawn(cell, random), 0.0 if rule == "not-worse" else GAIN
    champion, better = tests.version(cell.quality, random), tests.version(cell.quality + higher, random)
    ours = [new(better, champion, tests.groups, rule, number) for number in (1, WEEKS)]
    return old(better, champion, rule, random), ours[0], ours[1], float((better != champion).mean())


def line(cell: Cell, rule: Rule, runs: int, random: np.random.Generator) -> str:
    luck = np.mean([by_luck(cell, rule, random) for _ in range(runs)], axis=0)
    power = np.mean([real(cell, rule, random) for _ in range(runs)], axis=0)
    mark = "  <- over 5 %" if luck[1] > 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs) else ""
    return (
        f"{rule:>9} {cell.rows:>5} {'alone' if cell.group == 1 else f'by {cell.group}':>6} {power[3]:>7.1%} "
        f"{luck[0]:>9.1%} {luck[1]:>7.1%} {power[0]:>9.1%} {power[1]:>8.1%} {power[2]:>8.1%}{mark}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="lives, and real gains, of each line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rule", choices=RULES, help="only this one")
    parser.add_argument("--rows", type=int, help="only test sets of so many rows")
    options = parser.parse_args()
    began = time.monotonic()
    print("                                 by luck          promoted when it should be")
    print("     rule  rows  rows   differ       old     new       old   look 1  look 20")
    for rule, (place, cell) in product(RULES, enumerate(cells())):
        if options.rule in (None, rule) and options.rows in (None, cell.rows):
            random = np.random.default_rng([options.seed, place, rule == "better"])
            print(line(cell, rule, options.runs, random), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
