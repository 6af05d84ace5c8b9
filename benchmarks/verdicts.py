"""How often the verdict is right: simulated tasks whose truth is known, through the real sequence of pure functions.

    python benchmarks/verdicts.py [--tasks 600] [--seed 1]

Each task draws true qualities of local rungs, prompts (an endpoint's or hosted), a stronger model and a fine-tune,
whose answers to a row agree as answers of real models do (rows are easy or hard for all, in some tasks by groups),
and prices, volume, error cost, cadence, labels and their curve (`_tasks.py`); 60 to 1,000 dev rows. Some latency
targets are just missed or met. Dev rows are bought as the stage `prompt` buys them, `judge/verdict.py` decides, and
`judge/final.py` judges what test says: of a fine-tune against the best rung, or of that rung alone.

What is right is said by `_oracle.py`, which knows the truth and nothing of `judge`: the choice that costs least in
the long run and meets its targets. A task is *clear* when that stays so with every true quality moved by 2 points,
and every p99 by a tenth. Of clear tasks at most 2 % may end in a wrong *fine-tune*, 2 % in a wrong *stay*, 2 % in
*label more* where labels gain nothing, and of those with 300 dev rows or more at most 20 % in *not yet* where it is
not.

Not drawn: extractions, wrong labels, rare labels.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from _oracle import MAX_TRAIN_USD, is_clear, long_run_usd, right_verdict
from _tasks import (
    LOCAL,
    PROMPTS,
    Rows,
    Task,
    answered,
    candidate,
    curve,
    draw,
    evidence,
    local,
    mean_usd,
    outcomes,
    prompted,
)

from tailtune.core.records import Estimate
from tailtune.core.reports import RungResult, Settled, Verdict
from tailtune.judge import final
from tailtune.judge import verdict as before
from tailtune.judge.constraints import needed, servable, stays
from tailtune.judge.counted import Counted
from tailtune.judge.intervals import interval
from tailtune.judge.net_value import Weighed
from tailtune.judge.scores import Score, compare
from tailtune.judge.sequential import InterimAnalysis, interim_analysis

ALPHA = 0.05 / 7  # as the stage: over the seven prompted rungs that can be declared
BATCH, FIRST = 50, 100  # as PromptSpec
EXPERIMENT_USD = 0.10  # as TrainSpec
SPLITS = 4  # test splits on which a trained fine-tune is judged; the verdict is the first one's, coverage is of all


@dataclass
class Tally:
    """One per benchmark."""

    pairs: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    clear: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    clear_of_many: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    label_more: int = 0
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
        quality = interval(Counted.shares(dev.right[name]), dev.groups)
        found.append(local(name, task.ways[name], quality, task.train_rows))
    best = max(LOCAL, key=lambda name: dev.right[name].mean())
    if any(stays(rung, task.targets, None, len(found)) for rung in found):
        return found
    wrong_before, rows_full, usd_full, rows_now, usd_now = len(tally.settled), 0, 0.0, 0, 0.0
    for place, name in enumerate(PROMPTS):
        bought, seen = buy(task, dev, name, best)
        quality, settled = (seen.quality, seen.settled) if seen.settled and bought < task.dev_rows else (
            interval(Counted.shares(dev.right[name]), dev.groups), "all rows")  # fmt: skip
        if dev.groups is not None:
            seen = replace(seen, difference=None)
        else:
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


def buy(task: Task, dev: Rows, name: str, best: str) -> tuple[int, InterimAnalysis]:
    """Rows bought, and the last interim analysis of them."""
    rows = 0
    while True:
        rows = min(task.dev_rows, rows + BATCH if rows else FIRST)
        seen = interim_analysis(
            outcomes(dev.right[name][:rows]),
            outcomes(dev.right[best][:rows]),
            most_items=1,
            needed=needed(task.targets),
            target=task.targets.quality,
            min_effect=task.targets.min_effect,
            alpha=ALPHA,
        )
        if (seen.settled and task.group == 1) or rows == task.dev_rows:
            return rows, seen


def settled_wrong(task: Task, name: str, best: str, settled: Settled) -> bool:
    """Whether buying stopped for what is not true, as `interim_analysis` defines it."""
    right, gap = task.ways[name].right, task.ways[name].right - task.ways[best].right
    if settled == "stays":
        return right < task.targets.quality
    too_low = right >= needed(task.targets)
    return too_low or (settled == "better" and gap <= 0) or (settled == "not better" and gap >= task.targets.min_effect)


def verdict_of(task: Task, random: np.random.Generator, tally: Tally) -> tuple[Verdict, bool]:
    """What a user would be told at the end, from what can be measured; and whether it asks for labels."""
    dev = answered(task, task.dev_rows, random)
    known = evidence(task, measure(task, dev, tally), curve(task, random))
    decided = before.rule(known, task.targets, MAX_TRAIN_USD)
    best = decided.best.name
    if not before.may_train(decided, "auto", task.train_usd, EXPERIMENT_USD).yes:
        alone = final.OnTest(rung=tested_on(task, best, random).rung)
        return final.untrained(alone, decided.verdict, known, task.targets)[0], decided.cause == "labels"
    splits = [tested_on(task, best, random) for _ in range(SPLITS)]
    for tested in splits:
        cover(tally, task, tested, final.weigh_on_test(tested, known))
    verdict, reason = final.rule(splits[0], known, task.targets)
    return verdict, verdict == "not-yet" and "label more" in reason.reason


def tested_on(task: Task, best: str, random: np.random.Generator) -> final.OnTest:
    """A fine-tune and the best rung on a test split."""
    test = answered(task, task.test_rows, random)
    ours, theirs = (Counted.shares(test.right[name]) for name in ("lora", best))
    rung, tuned = (
        candidate(task, name, interval(counted, test.groups), int(test.invalid[name].sum()))
        for name, counted in ((best, theirs), ("lora", ours))
    )
    tuned_score, rung_score = (
        Score(test.right[name], {"accuracy": counted}, test.groups, 0.0, 0)
        for name, counted in (("lora", ours), (best, theirs))
    )
    pair = compare(tuned_score, rung_score, ("lora", best), swaps=2000)
    price = mean_usd(test.usd[best]) if best in PROMPTS and not task.ways[best].hosted else None
    return final.OnTest(rung=rung, fine_tune=tuned, comparison=pair, price=price)


def cover(tally: Tally, task: Task, tested: final.OnTest, weighed: Weighed | None) -> None:
    """Note which intervals of an evaluation hold the truth."""
    assert tested.fine_tune is not None and tested.comparison is not None
    name = tested.rung.name
    best, tuned = task.ways[name].right, task.ways["lora"].right
    tally.cover("quality on test", tested.fine_tune.quality, tuned)
    tally.cover("paired difference on test", tested.comparison.difference, tuned - best)
    worth = None if weighed is None else weighed.worth()
    ours, theirs = long_run_usd(task, "lora"), long_run_usd(task, name)
    if worth is not None and ours is not None and theirs is not None:
        tally.cover("net value", worth.net, theirs - ours)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tasks", type=int, default=600)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    began, tally = time.perf_counter(), Tally()
    random = np.random.default_rng(given.seed)
    for _ in range(given.tasks):
        task = draw(random)
        (found, asks_for_labels), truth = verdict_of(task, random, tally), right_verdict(task)
        tally.pairs[found, truth] += 1
        if is_clear(task):
            tally.clear[found, truth] += 1
            tally.clear_of_many[found, truth] += task.dev_rows >= 300
            tally.label_more += asks_for_labels and task.gain <= 0
    show(tally, given.tasks, time.perf_counter() - began)
    return 0


def show(tally: Tally, tasks: int, seconds: float) -> None:
    verdicts: tuple[Verdict, ...] = ("stay", "fine-tune", "not-yet")
    print(f"{tasks} tasks in {seconds:.0f} s\n")
    for title, pairs in (("all tasks", tally.pairs), ("clear tasks", tally.clear)):
        total, right = sum(pairs.values()), sum(count for (a, b), count in pairs.items() if a == b)
        print(f"{title}: {right} of {total} verdicts right ({right / max(1, total):.1%})")
        print(f"{'  found, truth →':<18}" + "".join(f"{name:>12}" for name in verdicts))
        for found in verdicts:
            print(f"  {found:<16}" + "".join(f"{pairs[found, truth]:>12}" for truth in verdicts))
        print()
    total = max(1, sum(tally.clear.values()))
    for found in verdicts[:2]:
        wrong = sum(count for (a, b), count in tally.clear.items() if a == found != b)
        print(f"clear tasks, wrong {found:<12} {wrong:>4} of {total} ({wrong / total:.1%}), at most 2 %")
    more = tally.label_more
    print(f"clear tasks, wrong label more   {more:>4} of {total} ({more / total:.1%}), at most 2 %")
    many = {pair: count for pair, count in tally.clear_of_many.items() if pair[1] != "not-yet"}
    abstained, of = sum(count for (a, _), count in many.items() if a == "not-yet"), max(1, sum(many.values()))
    print(f"clear tasks of 300+ dev rows, not yet {abstained} of {of} ({abstained / of:.1%}), at most 20 %\n")
    for what, covered in tally.covered.items():
        print(f"{what:<40} covers {np.mean(covered):.1%} of {len(covered)}")
    rows = np.array(tally.bought)
    print(f"\nsequential: {1 - rows[:, 0].sum() / rows[:, 1].sum():.1%} of the rows and ", end="")
    print(f"{1 - rows[:, 2].sum() / rows[:, 3].sum():.1%} of the dollars of a full evaluation not bought")
    print(f"settled wrongly: {np.mean(tally.settled):.2%} of {len(tally.settled)} rungs settled early, ", end="")
    print(f"{np.mean(tally.tasks_settled):.2%} of {len(tally.tasks_settled)} tasks with one")


if __name__ == "__main__":
    raise SystemExit(main())
