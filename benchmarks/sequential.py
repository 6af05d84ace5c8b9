"""What sequential evaluation saves, and how often it errs, against a full evaluation and against naive peeking.

    python benchmarks/sequential.py [--runs 50] [--rows 1000]

A rung and the best one before it answer the same made-up rows: 25 classes of Zipf sizes, some of them harder, bought in
`stratified` order, 50 at a time from 100 on. Their qualities are known, so every conclusion can be held against the
truth. Four ways to conclude by the same rules (stay, fall short; better, not better by an effect worth having):

- sequential: `tailtune.judge.sequential.interim_analysis` at 5 %, after every batch;
- peeking:    Wilson's interval and McNemar's test at 5 %, after every batch, as most evaluation tools let one do;
- full:       the same two, once, after all rows.

- staged:     what the stage `prompt` does: sequential, and where that stays open to the last row, the full evaluation.

`open` is the share of runs in which nothing was concluded. `held q` and `held d` are the shares in which the intervals
of quality and difference hold the truth when buying stops. Shares of errors are followed by how many there were, and
the upper end of their 95 % interval (Clopper-Pearson): no error in 50 runs does not mean that there are none.

That few errors are seen when buying stops says little of whether the level is right. So the first table asks directly
how often capital, bet against the truth, reaches 1 / 2.5 % at any look: it must do so in 2.5 % of runs at most, and
should not do so never. Looks that are far apart miss less, and stratified rows vary less than rows as they are drawn.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from tailtune.core.records import Estimate, Row
from tailtune.judge.sequential import BETS, InterimAnalysis, interim_analysis, stratified
from tailtune.judge.stats import wilson

Right = NDArray[np.bool_]
TARGET, NEEDED, EFFECT, ALPHA = 0.9, 1 - 0.1 / 1.5, 0.01, 0.05
CELLS = [
    (base, gap) for base in (0.75, 0.85) for gap in (-0.1, -0.03, 0.0, 0.03, 0.06)
] + [(0.85, 0.13), (0.95, -0.05), (0.97, 0.0)]  # fmt: skip
FIRST, BATCH, CLASSES = 100, 50, 25
WAYS = ("sequential", "peeking", "full", "staged")
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Concluded:
    """One per run and way of concluding."""

    settled: str | None
    rows: int
    quality: Estimate
    difference: Estimate


def main() -> None:
    """Print a line per pair of qualities and way of concluding, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--rows", type=int, default=1000)
    options = parser.parse_args()
    start, random = time.perf_counter(), np.random.default_rng(17)
    calibration(random, 20 * options.runs, options.rows)
    print(f"\n{'best':>6}{'gap':>7}  {'way':10}{'rows':>6}{'wrong':>20}{'open':>7}{'held q':>8}{'held d':>8}  settled")
    total: dict[str, list[Judged]] = {way: [] for way in WAYS}
    for base, gap in CELLS:
        pairs = [answers(random, options.rows, base, gap) for _ in range(options.runs)]
        for way, runs in concluded(pairs).items():
            judged = [judge(run, base, gap, options.rows) for run in runs]
            total[way] += judged
            print(line(f"{base:6.0%}{gap * 100:+7.0f}", way, judged), counted(runs))
    for way, every in total.items():
        print(line(f"{'all':>13}", way, every))
    print(f"{len(CELLS) * options.runs:,} runs of at most {options.rows:,} rows, {time.perf_counter() - start:.0f} s")


def concluded(pairs: list[tuple[Right, Right]]) -> dict[str, list[Concluded]]:
    """Each way's conclusion on the same answers."""
    found = {
        "sequential": [sequential(*pair) for pair in pairs],
        "peeking": [peeking(*pair) for pair in pairs],
        "full": [full(*pair) for pair in pairs],
    }
    staged = [
        last if early.settled is None else early for early, last in zip(found["sequential"], found["full"], strict=True)
    ]
    return found | {"staged": staged}


def calibration(random: np.random.Generator, runs: int, rows: int) -> None:
    """How often capital bet against the truth reaches 1 / level at any look; prints a line per order and schedule."""
    quality, level = 0.85, ALPHA / 2
    print(f"{'order':12}{'looks':16}{'too high':>24}{'too low':>24}   allowed {level:.1%} each")
    schedules = {f"every {BATCH} rows": looks(rows), "every row": range(1, rows + 1)}
    for order, ordered in (("as drawn", False), ("stratified", True)):
        right = np.array([answers(random, rows, quality, 0.0, ordered)[1] for _ in range(runs)])
        for schedule, at in schedules.items():
            sides = [(right - quality) / quality, (quality - right) / (1 - quality)]
            figures = "".join(f"{errors(reached(side, level, at)):>24}" for side in sides)
            print(f"{order:12}{schedule:16}{figures}")


def reached(values: NDArray[np.float64], level: float, at: range) -> list[bool]:
    """Whether the mixture's capital is ever 1 / level at a look, for each run; values have shape (runs, rows)."""
    logs = np.stack([np.cumsum(np.log1p(bet * values), axis=1)[:, np.array(at) - 1] for bet in BETS])
    most = (logs.max(axis=0) + np.log(np.exp(logs - logs.max(axis=0)).mean(axis=0))).max(axis=1)
    return [bool(one) for one in most >= -np.log(level)]


def answers(
    random: np.random.Generator, rows: int, base: float, gap: float, ordered: bool = True
) -> tuple[Right, Right]:
    """Whether the rung and the best one before it are right on each row, in the order in which rows are bought.

    Rows are ordered by class, or left as they were drawn.

    Over classes the qualities average to `base + gap` and `base`. Both read the same rows: where one errs, the other is
    likelier to err too.
    """
    shares = 1 / np.arange(1, CLASSES + 1)
    shares /= shares.sum()
    hard = np.where(np.arange(CLASSES) % 2, 1.0, -1.0)
    hard -= (shares * hard).sum()  # so that what rare and frequent classes lose and gain is even
    spread = 0.6 * min(1 - base, 1 - base - gap) / np.abs(hard).max()
    classes = random.choice(CLASSES, size=rows, p=shares)
    made = [Row(hashlib.sha256(random.bytes(8)).hexdigest()[:16], "", str(one), "") for one in classes]
    order = classes[stratified(made, lambda label: (label,))] if ordered else classes
    luck, alike = random.random(rows), random.random(rows) < 0.6
    other = np.where(alike, luck, random.random(rows))
    return luck < base + gap + spread * hard[order], other < base + spread * hard[order]


def looks(rows: int) -> range:
    return range(FIRST, rows + 1, BATCH)


def sequential(first: Right, best: Right) -> Concluded:
    one, two = outcomes(first), outcomes(best)
    for rows in looks(first.size):
        seen: InterimAnalysis = interim_analysis(
            one[:rows], two[:rows], most_items=1, needed=NEEDED, target=TARGET, min_effect=EFFECT, alpha=ALPHA
        )
        if seen.settled is not None:
            break
    assert seen.difference is not None
    return Concluded(seen.settled, rows, seen.quality, seen.difference)


def peeking(first: Right, best: Right) -> Concluded:
    for rows in looks(first.size):
        seen = full(first[:rows], best[:rows])
        if seen.settled is not None:
            break
    return seen


def full(first: Right, best: Right) -> Concluded:
    quality = wilson(int(first.sum()), first.size)
    only_first, only_best = int((first & ~best).sum()), int((best & ~first).sum())
    value, rows = (only_first - only_best) / first.size, first.size
    half = _Z95 * np.sqrt(max(only_first + only_best - (only_first - only_best) ** 2 / rows, 0.5)) / rows
    difference = Estimate(value=value, low=value - half, high=value + half, rows=rows)
    settled = None
    if quality.value >= NEEDED and quality.low >= TARGET:
        settled = "stays"
    elif quality.high < NEEDED and value > 0 and mcnemar(only_first, only_best) < ALPHA:
        settled = "better"
    elif quality.high < NEEDED and difference.high < EFFECT:
        settled = "not better"
    return Concluded(settled, rows, quality, difference)


def mcnemar(only_first: int, only_best: int) -> float:
    either = only_first + only_best
    return float(binomtest(only_first, either).pvalue) if either else 1.0


def outcomes(right: Right) -> NDArray[np.int64]:
    hits = right.astype(np.int64)
    return np.stack([hits, 1 - hits, 1 - hits], axis=1)


def is_wrong(settled: str | None, quality: float, gap: float) -> bool:
    """Whether a conclusion contradicts the truth; falling short is part of better and of not better."""
    short = settled in ("better", "not better") and quality >= NEEDED
    return (
        short
        or (settled == "stays" and quality < TARGET)
        or (settled == "better" and gap <= 0)
        or (settled == "not better" and gap >= EFFECT)
    )


@dataclass(frozen=True)
class Judged:
    """One per run and way of concluding, held against the truth."""

    bought: float
    wrong: bool
    unsettled: bool
    quality_held: bool
    difference_held: bool


def judge(run: Concluded, base: float, gap: float, rows: int) -> Judged:
    """A conclusion and its intervals against the truth."""

    def covers(interval: Estimate, truth: float) -> bool:
        return interval.low - 1e-12 <= truth <= interval.high + 1e-12

    wrong = is_wrong(run.settled, base + gap, gap)
    return Judged(
        run.rows / rows, wrong, run.settled is None, covers(run.quality, base + gap), covers(run.difference, gap)
    )


def errors(wrong: list[bool]) -> str:
    """`1.2% (3, ≤ 3.6%)`: share, count, and upper end of the 95 % interval."""
    count, runs = sum(wrong), len(wrong)
    high = binomtest(count, runs).proportion_ci(0.95, "exact").high
    return f"{count / runs:.1%} ({count}, ≤ {high:.1%})"


def line(cell: str, way: str, judged: list[Judged]) -> str:
    def share(of: str) -> float:
        return float(np.mean([getattr(one, of) for one in judged]))

    wrong = errors([one.wrong for one in judged])
    covered = f"{share('quality_held'):8.1%}{share('difference_held'):8.1%}"
    return f"{cell}  {way:10}{share('bought'):6.0%}{wrong:>20}{share('unsettled'):7.0%}{covered} "


def counted(runs: list[Concluded]) -> str:
    names = [run.settled or "open" for run in runs]
    return ", ".join(f"{name} {names.count(name)}" for name in dict.fromkeys(sorted(names)))


if __name__ == "__main__":
    main()
