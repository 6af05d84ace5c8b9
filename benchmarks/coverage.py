"""How often 95 % intervals hold the truth: of a measure, a paired difference, net value, rows alone or in groups.

    python benchmarks/coverage.py [--runs 1000] [--seed 1] [--only "field F1"]

Every cell draws test sets whose truth is known, with numpy alone. `rows` of them stand in groups of `group` rows on
average; a group's rows are easy or hard together, by `alike` of the variance of a hidden normal value. Beside ours
stand what most tools do: Wilson's interval of a share, and the percentile bootstrap over rows. `errors` is how many
errors, or rows that one predictor alone has right, are expected; `width` is in points. `labels` is how many labels rows
of a test set have on average, out of all: macro F1 is counted over those, as the product does, and its truth over all.

Cells in which at least 10 errors and 20 groups are expected should cover 93 to 98 %, all others at least 93 %. A cell
that does not is marked. Net value is that of a difference where an error costs a dollar and all else nothing.

Slices are no intervals but a question, asked of each value of a column: is it behind? Where none is, at most 5 % of
test sets may name one, however many values there are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from tailtune.core.records import Estimate, Row
from tailtune.core.reports import Paired
from tailtune.judge.counted import Counted, Places
from tailtune.judge.intervals import difference, interval
from tailtune.judge.net_value import paired_gain, price_of, worth
from tailtune.judge.scores import Score, compare
from tailtune.judge.slices import OTHERS, by_slice
from tailtune.judge.stats import SIGNIFICANT

Bools = NDArray[np.bool_]
Ends = tuple[float, float]
TRUTH_ROWS = 400_000
NET_VALUE = "net value"
FREE = Estimate(value=0, low=0, high=0, rows=1)


@dataclass(frozen=True)
class Cell:
    """One per setting.

    Attributes:
        measure: accuracy, macro F1, field F1, net value.
        compared: Whether it is about the difference of two predictors.
        rows: Rows of a test set.
        group: Rows of a group, on average; 1 is a row alone.
        alike: Share of the variance that rows of a group have in common, 0 to 1.
        quality: Share of right rows, labels or fields of the first predictor.
        gap: What the second predictor has less.
        labels: How many there are; the k-th is 1 / k as common as the first. Read by macro F1 alone.
    """

    measure: str
    compared: bool
    rows: int
    group: int
    alike: float
    quality: float
    gap: float = 0.0
    labels: int = 12


def cells() -> Iterator[Cell]:
    for rows, quality in product((60, 100, 300, 1000), (0.8, 0.9, 0.97, 0.99)):
        yield Cell("accuracy", False, rows, 1, 0.0, quality)
        yield Cell("field F1", False, rows, 1, 0.0, quality)
    for rows, quality in product((300, 1000), (0.8, 0.9, 0.97)):
        yield Cell("macro F1", False, rows, 1, 0.0, quality)
        yield Cell("field F1", False, rows, 5, 0.5, quality)
        yield Cell("macro F1", False, rows, 5, 0.5, quality)
    for (rows, group), alike, quality in product(
        ((300, 5), (1000, 5), (1000, 20), (4000, 20)), (0.3, 0.7), (0.8, 0.95)
    ):
        yield Cell("accuracy", False, rows, group, alike, quality)
        yield Cell("accuracy", True, rows, group, alike, quality, 0.02)
        yield Cell(NET_VALUE, True, rows, group, alike, quality, 0.02)
    for rows, quality in product((60, 300, 1000), (0.8, 0.95)):
        yield Cell(NET_VALUE, True, rows, 1, 0.0, quality, 0.02)
    for rows, quality, gap in product((60, 100, 300, 1000), (0.85, 0.95), (0.0, 0.03)):
        yield Cell("accuracy", True, rows, 1, 0.0, quality, gap)
        yield Cell("field F1", True, rows, 1, 0.0, quality, gap)
    for rows, quality in product((300, 1000), (0.85, 0.95)):
        yield Cell("macro F1", True, rows, 1, 0.0, quality, 0.02)
        yield Cell("field F1", True, rows, 5, 0.5, quality, 0.03)
    yield from rare_labels()


def rare_labels() -> Iterator[Cell]:
    """Of many labels some have a row or two, or none."""
    for rows, labels in ((60, 12), (100, 12), (100, 30), (300, 30), (1000, 30), (300, 77), (1000, 77)):
        for quality in (0.8, 0.95, 0.99):
            yield Cell("macro F1", False, rows, 1, 0.0, quality, labels=labels)
        for quality in (0.85, 0.95):
            yield Cell("macro F1", True, rows, 1, 0.0, quality, 0.02, labels)
    for (rows, labels), quality in product(((100, 12), (300, 30), (1000, 30)), (0.85, 0.95)):
        yield Cell("macro F1", False, rows, 5, 0.5, quality, labels=labels)
        yield Cell("macro F1", True, rows, 5, 0.5, quality, 0.02, labels)


@dataclass(frozen=True)
class Drawn:
    """One per test set: what each predictor is measured by, and each row's group."""

    first: Counted
    second: Counted
    groups: Places | None
    errors: int


def draw(cell: Cell, rows: int, random: np.random.Generator) -> Drawn:
    """A test set. Both predictors read the same rows, so that where one errs the other is likelier to err too."""
    groups = None if cell.group == 1 else _groups(rows, cell.group, random)
    shared = np.zeros(rows) if groups is None else random.standard_normal(int(groups.max()) + 1)[groups]
    hard = np.sqrt(cell.alike) * shared + np.sqrt(1 - cell.alike) * random.standard_normal(rows)
    luck = [np.sqrt(0.8) * hard + np.sqrt(0.2) * random.standard_normal(rows) for _ in range(2)]
    if cell.measure == "field F1":
        expected = 1 + random.binomial(9, 0.8, rows)
        first, second = (
            _fields(expected, own, quality, random) for own, quality in zip(luck, _qualities(cell), strict=True)
        )
        wrong = first.hits != second.hits if cell.compared else first.hits < first.sizes
        errors = int(wrong.sum())
        return Drawn(first, second, groups, errors)
    right = [own < norm.ppf(quality) for own, quality in zip(luck, _qualities(cell), strict=True)]
    errors = int((right[0] != right[1]).sum()) if cell.compared else int((~right[0]).sum())
    if cell.measure == "macro F1":
        labels = _labels(rows, cell.labels, random)
        ours, theirs = (_macro(labels, each, cell.labels, random) for each in right)
        return Drawn(ours, theirs, groups, errors)
    return Drawn(Counted.shares(right[0]), Counted.shares(right[1]), groups, errors)


def _qualities(cell: Cell) -> tuple[float, float]:
    return cell.quality, cell.quality - cell.gap


def _groups(rows: int, size: int, random: np.random.Generator) -> Places:
    """Groups of about so many rows."""
    sizes = np.maximum(1, random.poisson(size, size=2 * rows // size + 10))
    return np.repeat(np.arange(sizes.size), sizes)[:rows].astype(np.int64)


def _fields(
    expected: NDArray[np.int64], luck: NDArray[np.float64], quality: float, random: np.random.Generator
) -> Counted:
    """Rows of about eight fields; a hard row errs in more of them."""
    share = norm.cdf((norm.ppf(quality) - np.sqrt(0.5) * luck) / np.sqrt(0.5))
    right = random.binomial(expected, share)
    missed = expected - right
    return Counted.ratio(2 * right, 2 * right + missed + np.round(0.8 * missed))


def _labels(rows: int, count: int, random: np.random.Generator) -> Places:
    shares = 1 / np.arange(1, count + 1)
    return random.choice(count, size=rows, p=shares / shares.sum()).astype(np.int64)


def _macro(labels: Places, right: Bools, count: int, random: np.random.Generator) -> Counted:
    """As `tasks/classification/scoring.py` counts it: a part for each label that a row of this set has."""
    answers = np.where(right, labels, (labels + random.integers(1, count, labels.size)) % count)
    known = np.bincount(labels, minlength=count) > 0
    rows, parts = np.arange(labels.size), np.cumsum(known) - 1
    wrongly = ~right & known[answers]
    return Counted(
        labels.size,
        np.concatenate([rows, rows[wrongly]]),
        parts[np.concatenate([labels, answers[wrongly]])],
        np.concatenate([2.0 * right, np.zeros(int(wrongly.sum()))]),
        np.concatenate([1.0 + right, np.ones(int(wrongly.sum()))]),
        int(known.sum()),
    )


def ours(cell: Cell, drawn: Drawn) -> Ends:
    if cell.measure == NET_VALUE:
        net = worth(1.0, 1.0, 0.0, paired_gain(_compared(drawn)), price_of(FREE), 1.0).net
        return net.low, net.high
    found = (
        difference(drawn.first, drawn.second, drawn.groups) if cell.compared else interval(drawn.first, drawn.groups)
    )
    return found.low, found.high


def _compared(drawn: Drawn) -> Paired:
    first, second = (
        Score(each.hits == 1, {"accuracy": each}, drawn.groups, np.nan, 0) for each in (drawn.first, drawn.second)
    )
    return compare(first, second, ("first", "second"), swaps=1)


def wilson(cell: Cell, drawn: Drawn) -> Ends:
    """Of a share of rows, as if they were alone."""
    if cell.compared or cell.measure != "accuracy":
        return np.nan, np.nan
    ends = binomtest(int(drawn.first.hits.sum()), drawn.first.rows).proportion_ci(0.95, "wilson")
    return float(ends.low), float(ends.high)


def bootstrap(cell: Cell, drawn: Drawn, random: np.random.Generator, draws: int = 400) -> Ends:
    """Percentiles over rows drawn again, groups or not."""
    rows = drawn.first.rows
    times = random.multinomial(rows, np.full(rows, 1 / rows), size=draws).astype(np.float64)
    values = _resampled(drawn.first, times)
    if cell.compared:
        values = values - _resampled(drawn.second, times)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _resampled(counted: Counted, times: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = times[:, counted.row]
    total = np.zeros(len(times))
    parts = 0
    for part in range(counted.parts):
        mine = counted.part == part
        sizes = weights[:, mine] @ counted.sizes[mine]
        total += np.divide(weights[:, mine] @ counted.hits[mine], sizes, out=np.ones_like(sizes), where=sizes > 0)
        parts += 1
    result: NDArray[np.float64] = total / parts
    return result


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="a measure, or `slices`")
    given = options.parse_args()
    start, random, missed = time.perf_counter(), np.random.default_rng(given.seed), 0
    print(f"{'measure':9}{'of':>12}{'rows':>6}{'group':>6}{'alike':>6}{'quality':>8}{'gap':>6}", end="")
    print(f"{'labels':>8}{'errors':>8}{'groups':>7}{'ours':>8}{'width':>7}{'Wilson':>8}{'bootstrap':>11}")
    for cell in cells():
        if given.only in ("", cell.measure):
            missed += show(cell, given.runs, random)
    if given.only in ("", "slices"):
        missed += show_slices(given.runs // 4, random)
    print(f"\n{missed} cells outside, {given.runs:,} test sets each, {time.perf_counter() - start:.0f} s")
    return 0


def show(cell: Cell, runs: int, random: np.random.Generator) -> int:
    """One line; returns 1 for a cell outside what is asked."""
    whole = draw(cell, TRUTH_ROWS, random)
    truth = whole.first.value - whole.second.value if cell.compared else whole.first.value
    sets = [draw(cell, cell.rows, random) for _ in range(runs)]
    ends = np.array([ours(cell, drawn) for drawn in sets])
    mine = _covers(ends, truth)
    errors, groups = np.mean([drawn.errors for drawn in sets]), cell.rows / cell.group
    slack = 2 * np.sqrt(0.06 / runs)  # two standard errors of a share near 94 %
    enough = errors >= 10 and groups >= 20
    outside = mine < 0.93 - slack / 2 or (enough and mine > 0.98 + slack / 2)
    few = runs // 5
    labels = f"{np.mean([each.first.parts for each in sets]):.0f}/{cell.labels}" if cell.measure == "macro F1" else ""
    print(f"{cell.measure:9}{'difference' if cell.compared else 'measure':>12}{cell.rows:>6}{cell.group:>6}", end="")
    print(f"{cell.alike:>6.1f}{cell.quality:>8.1%}{cell.gap:>6.2f}{labels:>8}", end="")
    print(f"{errors:>8.1f}{groups:>7.0f}{mine:>8.1%}{np.mean(ends[:, 1] - ends[:, 0]) * 100:>7.2f}", end="")
    naive: list[Callable[[Drawn], Ends]] = [
        lambda drawn: wilson(cell, drawn),
        lambda drawn: bootstrap(cell, drawn, random),
    ]
    for width, method, some in ((8, naive[0], sets), (11, naive[1], sets[:few] if cell.rows <= 1000 else [])):
        found = np.array([method(drawn) for drawn in some])
        print(f"{'' if not some or np.isnan(found).all() else f'{_covers(found, truth):.1%}':>{width}}", end="")
    print("  outside" if outside else "", flush=True)
    return int(outside)


def show_slices(runs: int, random: np.random.Generator) -> int:
    """How often a slice is named where none is behind, and where one is by ten points."""
    print(f"\n{'slices':>6}{'rows':>6}{'group':>6}{'quality':>8}", end="")
    print(f"{'any named, none behind':>24}{'the one behind named':>22}")
    missed = 0
    for count, rows, (group, alike), quality in product((5, 20), (300, 2000), ((1, 0.0), (5, 0.5)), (0.8, 0.95)):
        cell = Cell("accuracy", False, rows, group, alike, quality)
        wrongly = np.mean([bool(named(draw(cell, rows, random), count, 0.0, random)) for _ in range(runs)])
        rightly = np.mean([0 in named(draw(cell, rows, random), count, 0.1, random) for _ in range(runs)])
        outside = wrongly > 0.05 + np.sqrt(0.05 / runs)
        print(f"{count:>6}{rows:>6}{group:>6}{quality:>8.1%}{wrongly:>24.1%}{rightly:>22.1%}", end="")
        print("  outside" if outside else "", flush=True)
        missed += int(outside)
    return missed


def named(drawn: Drawn, count: int, behind: float, random: np.random.Generator) -> list[int]:
    """Which values of a column are called behind; the first one errs in so much more of its rows."""
    right, groups = drawn.first.hits == 1, drawn.groups
    units = np.arange(right.size) if groups is None else groups
    values = random.integers(0, count, size=int(units.max()) + 1)[units]
    right = right & ~((values == 0) & (random.random(right.size) < behind / right.mean()))
    rows = [Row(str(at), "", "", "", slices=(("channel", str(value)),)) for at, value in enumerate(values.tolist())]
    score = Score(right, {"accuracy": Counted.shares(right)}, groups, np.nan, 0)
    clear = [each for each in by_slice(rows, score) if each.behind > 0 and each.p_adjusted < SIGNIFICANT]
    return [int(each.value) for each in clear if each.value != OTHERS]


def _covers(ends: NDArray[np.float64], truth: float) -> float:
    return float(((ends[:, 0] <= truth + 1e-9) & (truth - 1e-9 <= ends[:, 1])).mean())


if __name__ == "__main__":
    raise SystemExit(main())
