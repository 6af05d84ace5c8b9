"""How often the verdict is right: simulated tasks whose truth is known, through the real sequence of pure functions.

    python benchmarks/verdicts.py [--tasks 600] [--seed 1]

Each task draws true qualities of local rungs, prompts (an endpoint's or in a folder), a stronger model and a fine-tune,
whose answers to a row agree as answers of real models do (rows are easy or hard for all, in some tasks by groups),
and prices, volume, error cost, cadence, labels and their curve (`_tasks.py`); 60 to 1,000 dev rows. Some constraints
are just missed or met. A task may be an extraction (field F1 of 5 to 45 fields, one of which nobody may ever find),
have one label with most rows and others that some candidates neglect (macro F1 joins the target), a floor for the
recall of one label, or wrong labels in dev and test. Dev rows are bought as the stage `prompt` buys them,
`judge/verdict.py` decides, and `judge/final.py` judges what test says: of a fine-tune against the best rung, or of
that rung alone.

What is right is said by `_oracle.py`, which knows the truth and nothing of `judge`: the choice that costs least in
the long run and meets its targets. A task is *clear* when that stays so with every true quality moved by 2 points,
and every p99 by a tenth. Of clear tasks at most 2 % may end in a wrong *fine-tune*, 2 % in a wrong *stay*, 2 % in
*label more* where labels gain nothing, and of those with 300 dev rows or more at most 20 % in *not yet* where it is
not. Each figure stands beside that of the rules before ADR 016 (`_old_rules.py`), on the same answers.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import _old_rules as old
import numpy as np
from _answers import Answers, Rows, answered
from _oracle import MAX_TRAIN_USD, is_clear, long_run_usd, right_verdict
from _tasks import LOCAL, PROMPTS, Task, candidate, curve, draw, evidence, label_noise, local, mean_usd, prompted

from tailtune.core.records import Estimate
from tailtune.core.reports import RungResult, Settled, Verdict
from tailtune.judge import final
from tailtune.judge import verdict as before
from tailtune.judge.constraints import needed, servable, stays
from tailtune.judge.evidence import Evidence
from tailtune.judge.net_value import Weighed
from tailtune.judge.scores import compare
from tailtune.judge.sequential import InterimAnalysis, interim_analysis

ALPHA = 0.05 / 7  # as the stage: over the seven prompted rungs that can be declared
BATCH, FIRST = 50, 100  # as PromptSpec
EXPERIMENT_USD = 0.10  # as TrainSpec
SPLITS = 4  # test splits on which a trained fine-tune is judged; the verdict is the first one's, coverage is of all
MORE_LABELS = "label more rows first"  # as reasons say it
MANY = 300  # dev rows from which a verdict is expected
VERDICTS: tuple[Verdict, ...] = ("stay", "fine-tune", "not-yet")
Rules = Literal["new", "old"]


@dataclass(frozen=True)
class Judged:
    """One per task: the verdict by each set of rules, and whether it asks for labels."""

    task: Task
    truth: Verdict
    clear: bool
    new: tuple[Verdict, bool]
    old: tuple[Verdict, bool]

    def by(self, rules: Rules) -> tuple[Verdict, bool]:
        """The verdict by one of them."""
        return self.new if rules == "new" else self.old


@dataclass
class Tally:
    """One per benchmark."""

    judged: list[Judged] = field(default_factory=list)
    covered: dict[str, list[bool]] = field(default_factory=dict)
    bought: list[tuple[int, int, float, float]] = field(default_factory=list)
    settled: list[bool] = field(default_factory=list)
    tasks_settled: list[bool] = field(default_factory=list)

    def cover(self, what: str, estimate: Estimate, truth: float) -> None:
        """Note whether an interval holds the truth."""
        self.covered.setdefault(what, []).append(estimate.low <= truth <= estimate.high)


@dataclass(frozen=True)
class Measured:
    """One per task: rungs as reports have them, the answers that were bought, and intervals of what stopped early."""

    rungs: list[RungResult]
    answers: dict[str, Answers]
    sequences: dict[str, Estimate]


def measure(task: Task, dev: Rows, tally: Tally) -> Measured:
    """The ladder, then prompts bought no further than the question needs, as the stages do."""
    found = Measured([], {}, {})
    for name in LOCAL:
        found.answers[name] = dev.answers[name]
        found.rungs.append(local(task, name, dev.answers[name]))
    best = max(LOCAL, key=lambda name: dev.answers[name].score.quality.value)
    if any(stays(rung, task.targets, None, len(found.rungs)) for rung in found.rungs):
        return found
    wrong_before, rows_full, usd_full, rows_now, usd_now = len(tally.settled), 0, 0.0, 0, 0.0
    for place, name in enumerate(PROMPTS):
        rows, seen = buy(task, dev, name, best)
        settled: Settled = seen.settled if seen.settled and rows < task.dev_rows else "all rows"
        note_analysis(task, name, best, seen, settled, tally)
        found.answers[name] = bought = dev.answers[name].first(rows)
        if settled != "all rows":
            found.sequences[name] = seen.quality
        found.rungs.append(prompted(task, name, bought, found.sequences.get(name), settled))
        rows_full, usd_full = rows_full + task.dev_rows, usd_full + float(dev.answers[name].usd.sum())
        rows_now, usd_now = rows_now + rows, usd_now + float(bought.usd.sum())
        if settled == "stays" and servable(found.rungs[-1], task.targets):
            for other in PROMPTS[place + 1 :]:
                rows_full, usd_full = rows_full + task.dev_rows, usd_full + float(dev.answers[other].usd.sum())
            break
        gap = bought.score.quality.value - dev.answers[best].first(rows).score.quality.value
        if gap >= task.targets.min_effect:
            best = name
    tally.bought.append((rows_now, rows_full, usd_now, usd_full))
    tally.tasks_settled.append(any(tally.settled[wrong_before:]))
    return found


def buy(task: Task, dev: Rows, name: str, best: str) -> tuple[int, InterimAnalysis]:
    """Rows bought, and the last interim analysis of them."""
    rows, alone = 0, task.group == 1
    while True:
        rows = min(task.dev_rows, rows + BATCH if rows else FIRST)
        if not alone:  # bought to the end in any case
            rows = task.dev_rows
        seen = interim_analysis(
            dev.answers[name].outcomes[:rows],
            dev.answers[best].outcomes[:rows],
            most_items=task.fields + (1 if task.always_missed else 0),
            needed=needed(task.targets),
            target=task.targets.quality,
            min_effect=task.targets.min_effect,
            alpha=ALPHA,
        )
        if (seen.settled and alone) or rows == task.dev_rows:
            return rows, seen


def note_analysis(task: Task, name: str, best: str, seen: InterimAnalysis, settled: Settled, tally: Tally) -> None:
    """Note whether sequences hold the truth, where rows are alone and labels right."""
    if task.group > 1 or task.wrong_labels:
        return
    right, gap = task.ways[name].right, task.ways[name].right - task.ways[best].right
    tally.cover("sequence of quality, at stopping", seen.quality, right)
    if seen.difference is not None:
        tally.cover("sequence of difference, at stopping", seen.difference, gap)
    if settled != "all rows":
        tally.settled.append(settled_wrong(task, name, best, settled))


def settled_wrong(task: Task, name: str, best: str, settled: Settled) -> bool:
    """Whether buying stopped for what is not true, as `interim_analysis` defines it."""
    right, gap = task.ways[name].right, task.ways[name].right - task.ways[best].right
    if settled == "stays":
        return right < task.targets.quality
    too_low = right >= needed(task.targets)
    return too_low or (settled == "better" and gap <= 0) or (settled == "not better" and gap >= task.targets.min_effect)


def judged(task: Task, random: np.random.Generator, tally: Tally) -> Judged:
    """What a user would be told at the end, from what can be measured, and what the old rules would have told them."""
    dev, test = (answered(task, rows, random) for rows in (task.dev_rows, task.test_rows))
    measured, points = measure(task, dev, tally), curve(task, random)
    known = evidence(task, measured.rungs, points, label_noise(task, dev, "dev", random))
    then = old.verdict(task, measured.answers, measured.sequences, points, test)
    now = verdict_of(task, known, test, random, tally)
    return Judged(task, right_verdict(task), is_clear(task), now, then)


def verdict_of(
    task: Task, known: Evidence, test: Rows, random: np.random.Generator, tally: Tally
) -> tuple[Verdict, bool]:
    """The verdict after the test; and whether it asks for labels."""
    decided = before.rule(known, task.targets, MAX_TRAIN_USD)
    best = decided.best.name
    if not before.may_train(decided, "auto", task.train_usd, EXPERIMENT_USD).yes:
        alone = final.OnTest(rung=candidate(task, best, test.answers[best]))
        return final.untrained(alone, decided.verdict, known, task.targets)[0], MORE_LABELS in decided.reason
    noise = label_noise(task, test, "test", random)
    further = (answered(task, task.test_rows, random) for _ in range(SPLITS - 1))
    splits = [replace(tested_on(task, best, rows), labels=noise) for rows in (test, *further)]
    for tested in splits:
        cover(tally, task, tested, final.weigh_on_test(tested, known))
    verdict, reason = final.rule(splits[0], known, task.targets)
    return verdict, verdict == "not-yet" and MORE_LABELS in reason.reason


def tested_on(task: Task, best: str, test: Rows) -> final.OnTest:
    """A fine-tune and the best rung on a test split."""
    tuned, rung = test.answers["lora"], test.answers[best]
    pair = compare(tuned.score, rung.score, ("lora", best), swaps=2000)
    price = mean_usd(rung.usd) if best in PROMPTS and not task.ways[best].hosted else None
    return final.OnTest(
        rung=candidate(task, best, rung), fine_tune=candidate(task, "lora", tuned), comparison=pair, price=price
    )


def cover(tally: Tally, task: Task, tested: final.OnTest, weighed: Weighed | None) -> None:
    """Note which intervals of an evaluation hold the truth; where labels are wrong they are of something else."""
    assert tested.fine_tune is not None and tested.comparison is not None
    if task.wrong_labels:
        return
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
    for place in range(given.tasks):
        random = np.random.default_rng([given.seed, place])  # one each, so that other rules judge the same tasks
        tally.judged.append(judged(draw(random), random, tally))
    show(tally, time.perf_counter() - began)
    return 0


def show(tally: Tally, seconds: float) -> None:
    print(f"{len(tally.judged)} tasks in {seconds:.0f} s\n")
    clear = [each for each in tally.judged if each.clear]
    show_pairs("all tasks", tally.judged)
    show_pairs("clear tasks", clear)
    show_rates(clear)
    for what, covered in tally.covered.items():
        print(f"{what:<40} covers {np.mean(covered):.1%} of {len(covered)}")
    rows = np.array(tally.bought)
    print(f"\nsequential: {1 - rows[:, 0].sum() / rows[:, 1].sum():.1%} of the rows and ", end="")
    print(f"{1 - rows[:, 2].sum() / rows[:, 3].sum():.1%} of the dollars of a full evaluation not bought")
    print(f"settled wrongly: {np.mean(tally.settled):.2%} of {len(tally.settled)} rungs settled early, ", end="")
    print(f"{np.mean(tally.tasks_settled):.2%} of {len(tally.tasks_settled)} tasks with one")


def show_pairs(title: str, tasks: list[Judged]) -> None:
    """Which verdict was given for which truth, new rules beside old."""
    now, then = (Counter((each.by(rules)[0], each.truth) for each in tasks) for rules in ("new", "old"))
    shares = [sum(pairs[name, name] for name in VERDICTS) / max(1, len(tasks)) for pairs in (now, then)]
    print(f"{title}: {shares[0]:.1%} of {len(tasks)} verdicts right; by the old rules {shares[1]:.1%}")
    print(f"  {'found, truth →':<16}" + "".join(f"{name:>12}" for name in VERDICTS), end="")
    print("   old:" + "".join(f"{name:>12}" for name in VERDICTS))
    for found in VERDICTS:
        print(f"  {found:<16}" + "".join(f"{now[found, truth]:>12}" for truth in VERDICTS), end="")
        print(" " * 7 + "".join(f"{then[found, truth]:>12}" for truth in VERDICTS))
    print()


def kinds_of(task: Task) -> Iterator[str]:
    """Names of the lines of the table that a task counts for."""
    yield "all"
    yield task.kind
    yield f"{MANY} dev rows or more" if task.dev_rows >= MANY else f"fewer than {MANY} dev rows"
    traits = {"groups": task.group > 1, "near miss": task.near_miss, "one field never found": task.always_missed}
    traits["model in a folder"] = any(truth.hosted for truth in task.ways.values())
    traits["dollars known"] = task.inputs is not None
    yield from (name for name, has in traits.items() if has)


def show_rates(clear: list[Judged]) -> None:
    """Wrong verdicts of clear tasks by kind, new → old: per cent of the line's tasks."""
    print("clear tasks, per cent, new rules beside old; at most 2, 2, 2 and 20 are asked of all")
    print(f"  {'':<24}{'tasks':>6}{'wrong stay':>18}{'wrong fine-tune':>18}{'wrong label more':>18}{'not yet':>24}")
    names = Counter(name for each in clear for name in kinds_of(each.task))
    for name in sorted(names, key=lambda name: (name != "all", name)):
        tasks = [each for each in clear if name in kinds_of(each.task)]
        many = [each for each in tasks if each.task.dev_rows >= MANY and each.truth != "not-yet"]
        print(f"  {name:<24}{len(tasks):>6}", end="")
        for wrong in (is_wrong_stay, is_wrong_fine_tune, is_wrong_label_more):
            print(f"{_rate(tasks, wrong, 'new'):>10}{_rate(tasks, wrong, 'old'):>8}", end="")
        of = f"of {len(many)}"
        print(f"{_rate(many, is_not_yet, 'new'):>10}{_rate(many, is_not_yet, 'old'):>8}{of:>8}")
    print()


def _rate(tasks: list[Judged], is_so: Callable[[Judged, Rules], bool], rules: Rules) -> str:
    return f"{sum(is_so(each, rules) for each in tasks) / len(tasks) * 100:.1f}" if tasks else "–"


def is_wrong_stay(judged: Judged, rules: Rules) -> bool:
    return judged.by(rules)[0] == "stay" != judged.truth


def is_wrong_fine_tune(judged: Judged, rules: Rules) -> bool:
    return judged.by(rules)[0] == "fine-tune" != judged.truth


def is_wrong_label_more(judged: Judged, rules: Rules) -> bool:
    """Labels are asked for, and gain nothing."""
    return judged.by(rules)[1] and judged.task.gain <= 0


def is_not_yet(judged: Judged, rules: Rules) -> bool:
    return judged.by(rules)[0] == "not-yet"


if __name__ == "__main__":
    raise SystemExit(main())
