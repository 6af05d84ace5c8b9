"""How often the verdict is right: simulated tasks whose truth is known, through the real sequence of pure functions.

    python benchmarks/verdicts.py [--tasks 600] [--seed 1]

Each task draws true qualities of local rungs, prompts, a stronger model and a fine-tune, whose answers to a row agree
as answers of real models do (rows are easy or hard for all), and prices, volume, error cost, cadence, labels and their
curve (`_tasks.py`). Dev rows are bought as the stage `prompt` buys them, `judge/verdict.py` decides, and
`judge/final.py` judges what test says: of a fine-tune against the best rung, or of that rung alone. The same rules on
the true values instead of measured ones are the oracle. A task is *clear* when the oracle's verdict is the same with
every true quality of a rung, and that of the fine-tune, moved by the minimum effect, up or down: then the true gaps
exceed it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from _tasks import (
    EXACT,
    LOCAL,
    PROMPTS,
    Rows,
    Task,
    answered,
    candidate,
    draw,
    evidence,
    exact,
    local,
    mean_usd,
    outcomes,
    prompted,
    true_rungs,
)

from tailtune.core.records import Estimate
from tailtune.core.reports import Paired, RungResult, Settled, Verdict
from tailtune.judge import final
from tailtune.judge import verdict as before
from tailtune.judge.constraints import meets_with_head_room, needed, servable
from tailtune.judge.counted import Counted
from tailtune.judge.intervals import difference, swap_test
from tailtune.judge.net_value import DRAWS, Drawn, Weighed, Worth
from tailtune.judge.sequential import Look, look
from tailtune.judge.shares import share

ALPHA = 0.05 / 7  # as the stage: over the seven prompted rungs that can be declared
BATCH, FIRST = 50, 100  # as PromptSpec
MAX_TRAIN_USD = 5.0  # as TrainSpec
SPLITS = 4  # test splits on which a trained fine-tune is judged; the verdict is the first one's, coverage is of all


@dataclass
class Tally:
    """One per benchmark."""

    pairs: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    clear: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    covered: dict[str, list[bool]] = field(default_factory=dict)
    bought: list[tuple[int, int, float, float]] = field(default_factory=list)
    settled: list[bool] = field(default_factory=list)
    tasks_settled: list[bool] = field(default_factory=list)

    def cover(self, what: str, estimate: Estimate, truth: float) -> None:
        """Note whether an interval holds the truth."""
        self.covered.setdefault(what, []).append(estimate.low <= truth <= estimate.high)


def measure(task: Task, dev: Rows, tally: Tally) -> list[RungResult]:
    """The ladder, then prompts bought no further than the question needs, as the stages do."""
    found: list[RungResult] = []
    for name in LOCAL:
        right = dev.right[name]
        found.append(local(name, task.ways[name], share(int(right.sum()), len(right)), task.train_rows))
    best = max(LOCAL, key=lambda name: dev.right[name].mean())
    if any(meets_with_head_room(rung.quality, task.targets) and servable(rung, task.targets) for rung in found):
        return found
    wrong_before, rows_full, usd_full, rows_now, usd_now = len(tally.settled), 0, 0.0, 0, 0.0
    for place, name in enumerate(PROMPTS):
        bought, seen = buy(task, dev, name, best)
        quality, settled = (seen.quality, seen.settled) if seen.settled and bought < task.dev_rows else (
            share(int(dev.right[name].sum()), task.dev_rows), "all rows")  # fmt: skip
        tally.cover("sequence of quality, at stopping", seen.quality, task.ways[name].right)
        if seen.difference is not None:
            tally.cover(
                "sequence of difference, at stopping", seen.difference, task.ways[name].right - task.ways[best].right
            )
        if settled != "all rows":
            tally.settled.append(settled_wrong(task, name, best, settled))
        usd = mean_usd(dev.usd[name][:bought])
        invalid = int(dev.invalid[name][:bought].sum())
        found.append(prompted(name, task.ways[name], quality, invalid, usd, settled, task.dev_rows))
        rows_full, usd_full = rows_full + task.dev_rows, usd_full + float(dev.usd[name].sum())
        rows_now, usd_now = rows_now + bought, usd_now + float(dev.usd[name][:bought].sum())
        if settled == "stays" and servable(found[-1], task.targets):
            for other in PROMPTS[place + 1 :]:
                rows_full, usd_full = rows_full + task.dev_rows, usd_full + float(dev.usd[other].sum())
            break
        if dev.right[name][:bought].mean() - dev.right[best][:bought].mean() >= task.targets.min_effect:
            best = name
    tally.bought.append((rows_now, rows_full, usd_now, usd_full))
    tally.tasks_settled.append(any(tally.settled[wrong_before:]))
    return found


def buy(task: Task, dev: Rows, name: str, best: str) -> tuple[int, Look]:
    """Rows bought, and the last look at them."""
    rows = 0
    while True:
        rows = min(task.dev_rows, rows + BATCH if rows else FIRST)
        seen = look(
            outcomes(dev.right[name][:rows]),
            outcomes(dev.right[best][:rows]),
            most_items=1,
            needed=needed(task.targets),
            target=task.targets.quality,
            min_effect=task.targets.min_effect,
            alpha=ALPHA,
        )
        if seen.settled or rows == task.dev_rows:
            return rows, seen


def settled_wrong(task: Task, name: str, best: str, settled: Settled) -> bool:
    """Whether buying stopped for what is not true, as `look` defines it."""
    right, gap = task.ways[name].right, task.ways[name].right - task.ways[best].right
    if settled == "stays":
        return right < task.targets.quality
    too_low = right >= needed(task.targets)
    return too_low or (settled == "better" and gap <= 0) or (settled == "not better" and gap >= task.targets.min_effect)


def verdict_of(task: Task, random: np.random.Generator, tally: Tally) -> Verdict:
    """What a user would be told at the end, from what can be measured."""
    dev = answered(task, task.dev_rows, random)
    # Both ends of the curve are measured on the same dev rows: only the rows that differ make noise.
    noise = random.normal(0, math.sqrt(0.06 / task.dev_rows))
    known = evidence(task, measure(task, dev, tally), noise)
    decided = before.rule(known, task.targets, MAX_TRAIN_USD)
    best = decided.best.name
    if decided.verdict != "fine-tune":
        alone = final.OnTest(rung=tested_on(task, best, random).rung)
        return final.untrained(alone, decided.verdict, known, task.targets)[0]
    truth = exact_worth(task, best)
    splits = [tested_on(task, best, random) for _ in range(SPLITS)]
    for tested in splits:
        cover(tally, task, tested, final.weigh_on_test(tested, known), truth)
    return final.rule(splits[0], known, task.targets)[0]


def tested_on(task: Task, best: str, random: np.random.Generator) -> final.OnTest:
    """A fine-tune and the best rung on a test split."""
    test = answered(task, task.test_rows, random)
    rung, tuned = (
        candidate(task, name, share(int(test.right[name].sum()), task.test_rows), int(test.invalid[name].sum()))
        for name in (best, "lora")
    )
    ours, theirs = (Counted.shares(test.right[name]) for name in ("lora", best))
    pair = Paired(
        first="lora",
        second=best,
        difference=difference(ours, theirs),
        only_first_right=int((test.right["lora"] & ~test.right[best]).sum()),
        only_second_right=int((test.right[best] & ~test.right["lora"]).sum()),
        p=swap_test(ours, theirs),
    )
    price = mean_usd(test.usd[best]) if best in PROMPTS else None
    return final.OnTest(rung=rung, fine_tune=tuned, comparison=pair, price=price)


def cover(tally: Tally, task: Task, tested: final.OnTest, weighed: Weighed | None, truth: Worth | None) -> None:
    """Note which intervals of an evaluation hold the truth."""
    assert tested.fine_tune is not None and tested.comparison is not None
    best, tuned = task.ways[tested.rung.name].right, task.ways["lora"].right
    tally.cover("quality on test", tested.fine_tune.quality, tuned)
    tally.cover("paired difference on test", tested.comparison.difference, tuned - best)
    worth = None if weighed is None else weighed.worth()
    if worth is None or truth is None:
        return
    tally.cover("net value", worth.net, truth.net.value)
    if not math.isnan(truth.break_even.value) and not math.isnan(worth.break_even.high):
        tally.cover("break-even, where it has two ends", worth.break_even, truth.break_even.value)


def sure(value: float) -> Drawn:
    return Drawn(value, np.full(DRAWS, value), EXACT)


def exact_tested(task: Task, best: str) -> final.OnTest:
    way, tuned = task.ways[best], task.ways["lora"]
    gap = tuned.right - way.right
    # McNemar's p of endless rows: 0 where there is a gap.
    pair = Paired(
        first="lora", second=best, difference=exact(gap), only_first_right=round(max(gap, 0) * EXACT),
        only_second_right=round(max(-gap, 0) * EXACT), p=0.0 if gap else 1.0,
    )  # fmt: skip
    price = exact(way.usd) if best in PROMPTS else None
    rung = candidate(task, best, exact(way.right), round(way.invalid * EXACT))
    fine_tune = candidate(task, "lora", exact(tuned.right), 0)
    return final.OnTest(rung=rung, fine_tune=fine_tune, comparison=pair, price=price)


def exact_worth(task: Task, best: str) -> Worth | None:
    """What the fine-tune is truly worth; None where no volume is declared."""
    known = evidence(task, true_rungs(task))
    weighed = final.weigh_on_test(exact_tested(task, best), known)
    if weighed is None:
        return None
    gap = task.ways["lora"].right - task.ways[best].right
    return replace(weighed, gain=sure(gap), saved=sure(task.ways[best].usd)).worth()


def oracle(task: Task) -> Verdict:
    """The same rules on the true values."""
    known = evidence(task, true_rungs(task))
    decided = before.rule(known, task.targets, MAX_TRAIN_USD)
    if decided.verdict != "fine-tune":
        return decided.verdict  # test says what dev said
    return final.rule(exact_tested(task, decided.best.name), known, task.targets)[0]


def clear(task: Task) -> bool:
    """Whether the truth moved by the minimum effect leaves the oracle's verdict as it is."""
    verdict, effect = oracle(task), task.targets.min_effect
    for rungs, tuned, gain in product((-1, 0, 1), repeat=3):
        ways = {
            name: replace(
                way, right=float(np.clip(way.right + (tuned if name == "lora" else rungs) * effect, 0.01, 0.9999))
            )
            for name, way in task.ways.items()
        }
        if oracle(replace(task, ways=ways, gain=task.gain + gain * effect)) != verdict:
            return False
    return True


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tasks", type=int, default=600)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    began, tally = time.perf_counter(), Tally()
    random = np.random.default_rng(given.seed)
    for _ in range(given.tasks):
        task = draw(random)
        found, truth = verdict_of(task, random, tally), oracle(task)
        tally.pairs[found, truth] += 1
        if clear(task):
            tally.clear[found, truth] += 1
    show(tally, given.tasks, time.perf_counter() - began)
    return 0


def show(tally: Tally, tasks: int, seconds: float) -> None:
    verdicts: tuple[Verdict, ...] = ("stay", "fine-tune", "not-yet")
    print(f"{tasks} tasks in {seconds:.0f} s\n")
    for title, pairs in (("all tasks", tally.pairs), ("clear tasks", tally.clear)):
        total, right = sum(pairs.values()), sum(count for (a, b), count in pairs.items() if a == b)
        wrong = sum(count for (a, b), count in pairs.items() if a == "fine-tune" != b)
        print(f"{title}: {right} of {total} verdicts right ({right / total:.1%}), wrong fine-tunes {wrong / total:.1%}")
        print(f"{'  found, truth →':<18}" + "".join(f"{name:>12}" for name in verdicts))
        for found in verdicts:
            print(f"  {found:<16}" + "".join(f"{pairs[found, truth]:>12}" for truth in verdicts))
        print()
    for what, covered in tally.covered.items():
        print(f"{what:<40} covers {np.mean(covered):.1%} of {len(covered)}")
    rows = np.array(tally.bought)
    print(f"\nsequential: {1 - rows[:, 0].sum() / rows[:, 1].sum():.1%} of the rows and ", end="")
    print(f"{1 - rows[:, 2].sum() / rows[:, 3].sum():.1%} of the dollars of a full evaluation not bought")
    print(f"settled wrongly: {np.mean(tally.settled):.2%} of {len(tally.settled)} rungs settled early, ", end="")
    print(f"{np.mean(tally.tasks_settled):.2%} of {len(tally.tasks_settled)} tasks with one")


if __name__ == "__main__":
    raise SystemExit(main())
