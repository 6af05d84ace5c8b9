"""How often the verdict is right: simulated tasks whose truth is known, through the real sequence of pure functions.

    python benchmarks/verdicts.py [--tasks 600] [--seed 1]

Each task draws true qualities of local rungs, prompts, a stronger model and a fine-tune, whose answers to a row agree
as answers of real models do (rows are easy or hard for all), and prices, volume, error cost, cadence, labels and their
curve. Dev rows are bought as the stage `prompt` buys them, `judge/verdict.py` decides, and where it says so a
fine-tune is tested against the best rung by `judge/final.py`. The same rules on the true values instead of measured
ones are the oracle. A task is *clear* when the oracle's verdict is the same with every true quality of a rung, and
that of the fine-tune, moved by the minimum effect, up or down: then the true gaps exceed it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CandidateResult, CurvePoint, Paired, PromptedRung, RungResult, Settled, Verdict
from tailtune.judge import final
from tailtune.judge import verdict as before
from tailtune.judge.cadence import Cadence
from tailtune.judge.constraints import meets_with_head_room, needed, servable
from tailtune.judge.economy import Setting
from tailtune.judge.evidence import Evidence
from tailtune.judge.sequential import Look, Outcomes, look
from tailtune.judge.stats import paired, wilson
from tailtune.judge.weighing import Weighed
from tailtune.judge.worth import DRAWS, Drawn, Worth
from tailtune.spec.classification import ClassificationTargets
from tailtune.spec.model import TrainSpec
from tailtune.spec.prices import PriceSpec
from tailtune.spec.value import ValueSpec

LOCAL = ("tfidf", "retrieval", "probe")
PROMPTS = ("lm_zero_shot", "lm_few_shot", "lm_retrieval", "lm_strong")
ALPHA = 0.05 / 7  # as the stage: over the seven prompted rungs that can be declared
BATCH, FIRST = 50, 100  # as PromptSpec
EXACT = 10**9  # rows of an oracle
SPLITS = 4  # test splits on which a trained fine-tune is judged; the verdict is the first one's, coverage is of all
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """One per way to answer.

    Attributes:
        right: Share of requests answered right.
        invalid: Share whose answer cannot be used, a part of those that are wrong.
        p99_ms: Of one request.
        usd: Of one request.
    """

    right: float
    invalid: float = 0.0
    p99_ms: float = 5.0
    usd: float = 0.0


@dataclass(frozen=True)
class Task:
    """One per simulated task."""

    ways: dict[str, Truth]
    alike: float
    dev_rows: int
    test_rows: int
    train_rows: int
    gain: float
    train_usd: float
    targets: ClassificationTargets
    cadence: Cadence
    setting: Setting | None


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


def draw(random: np.random.Generator) -> Task:
    """A task; ranges are those of the use cases that were measured, wider."""
    target = random.uniform(0.82, 0.97)
    centre = target + random.normal(0, 0.5) * (1 - target)
    spread = (1 - target) * 0.8

    def quality(offset: float) -> float:
        return float(np.clip(centre + offset * spread + random.normal(0, 0.35) * spread, 0.3, 0.995))

    fast, usd = random.uniform(200, 1500), float(np.exp(random.uniform(np.log(5e-5), np.log(3e-3))))
    ways = {name: Truth(quality(offset)) for name, offset in zip(LOCAL, (-1.5, -0.8, -0.4), strict=True)}
    for name, offset, dear in zip(PROMPTS, (-1.0, -0.6, 0.0, 0.4), (1, 2, 2.5, 25), strict=True):
        invalid = float(random.choice([0.0, 0.002, 0.03]))
        ways[name] = Truth(min(quality(offset), 1 - invalid), invalid, fast * random.uniform(0.7, 1.4), usd * dear)
    ways["lora"] = Truth(quality(0.5))
    min_effect = float(random.choice([0.005, 0.01, 0.02]))
    p99 = random.choice([None, 100.0, 1000.0], p=[0.6, 0.15, 0.25])
    targets = ClassificationTargets(
        accuracy=target, min_effect=min_effect, p99_ms=p99, validity=random.choice([None, 0.99], p=[0.7, 0.3])
    )
    days = float(np.exp(random.uniform(np.log(10), np.log(365))))
    train_rows = int(np.exp(random.uniform(np.log(800), np.log(30_000))))
    train_usd = float(np.exp(random.uniform(np.log(0.01), np.log(10))))
    rows = int(np.exp(random.uniform(np.log(600), np.log(3000))))
    return Task(
        ways=ways,
        alike=random.uniform(0.4, 0.85),
        dev_rows=min(rows, 1000),
        test_rows=int(rows * random.uniform(1, 2)),
        train_rows=train_rows,
        gain=max(0.0, random.normal(0.01, 0.02)),
        train_usd=train_usd,
        targets=targets,
        cadence=Cadence(days if random.random() < 0.8 else None),
        setting=_setting(random, days, train_rows, train_usd) if random.random() < 0.7 else None,
    )


def _setting(random: np.random.Generator, days: float, train_rows: int, train_usd: float) -> Setting:
    per_day, error = (float(np.exp(random.uniform(np.log(a), np.log(b)))) for a, b in ((100, 1e5), (0.001, 0.3)))
    prices = PriceSpec(
        as_of=date(2026, 11, 1),
        cpu_core_hour_usd=Decimal("0.04"),
        person_hour_usd=Decimal(75),
        label_usd=Decimal("0.08"),
    )
    return Setting(ValueSpec(requests_per_day=per_day, error_usd=error), prices, days, train_rows, train_usd, 0.0)


@dataclass(frozen=True)
class Rows:
    """One per task and split: who is right on each row, whose answer is unusable, and what it cost."""

    right: dict[str, Bools]
    invalid: dict[str, Bools]
    usd: dict[str, NDArray[np.float64]]


def answered(task: Task, rows: int, random: np.random.Generator) -> Rows:
    """Rows are easy or hard for everybody, to a degree."""
    hard = random.standard_normal(rows)
    right, invalid, usd = {}, {}, {}
    for name, way in task.ways.items():
        own = random.standard_normal(rows)
        score = math.sqrt(task.alike) * hard + math.sqrt(1 - task.alike) * own
        right[name] = score < norm.ppf(way.right)
        invalid[name] = ~right[name] & (random.random(rows) < way.invalid / max(1e-12, 1 - way.right))
        usd[name] = way.usd * np.maximum(0.2, random.normal(1, 0.3, rows))
    return Rows(right, invalid, usd)


def latency(way: Truth) -> Latency:
    return Latency(p50_ms=way.p99_ms / 2, p95_ms=way.p99_ms * 0.8, p99_ms=way.p99_ms, mean_ms=way.p99_ms / 2, rows=200)


def local(name: str, way: Truth, quality: Estimate, fit_rows: int) -> RungResult:
    return RungResult(
        name=name, title=name, metrics={"accuracy": quality}, latency=latency(way), usd_per_1000=0.0, fit_s=1.0,
        fit_rows=fit_rows,
    )  # fmt: skip


def prompted(
    name: str, way: Truth, quality: Estimate, invalid: int, usd: Estimate, settled: Settled, of_rows: int
) -> PromptedRung:
    return PromptedRung(
        name=name, title=name, metrics={"accuracy": quality}, latency=latency(way), usd_per_1000=usd.value * 1000,
        usd_low=usd.low * 1000, usd_high=usd.high * 1000, invalid_rows=invalid, fit_s=0.0, fit_rows=0, model="m",
        role="base", prompt="p", prompt_digest="0" * 12, settled=settled, of_rows=of_rows,
    )  # fmt: skip


def outcomes(right: Bools) -> Outcomes:
    hits = right.astype(np.int64)
    return np.stack([hits, 1 - hits, 1 - hits], axis=1)


def mean_usd(usd: NDArray[np.float64]) -> Estimate:
    mean, half = float(usd.mean()), 1.96 * float(usd.std(ddof=1)) / math.sqrt(len(usd))
    return Estimate(value=mean, low=max(0.0, mean - half), high=mean + half, rows=len(usd))


def measure(task: Task, dev: Rows, tally: Tally) -> list[RungResult]:
    """The ladder, then prompts bought no further than the question needs, as the stages do."""
    found: list[RungResult] = []
    for name in LOCAL:
        right = dev.right[name]
        found.append(local(name, task.ways[name], wilson(int(right.sum()), len(right)), task.train_rows))
    best = max(LOCAL, key=lambda name: dev.right[name].mean())
    if any(meets_with_head_room(rung.quality, task.targets) and servable(rung, task.targets) for rung in found):
        return found
    wrong_before, rows_full, usd_full, rows_now, usd_now = len(tally.settled), 0, 0.0, 0, 0.0
    for place, name in enumerate(PROMPTS):
        bought, seen = buy(task, dev, name, best)
        quality, settled = (seen.quality, seen.settled) if seen.settled and bought < task.dev_rows else (
            wilson(int(dev.right[name].sum()), task.dev_rows), "all rows")  # fmt: skip
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


def curve(task: Task, noise: float) -> list[CurvePoint]:
    """The cheap rung's learning curve, whose last doubling gains what it gains, more or less."""
    top = task.ways["probe"].right
    points = ((task.train_rows // 2, top - task.gain - noise), (task.train_rows, top))
    return [CurvePoint(rows=n, quality=Estimate(value=v, low=v, high=v, rows=task.dev_rows)) for n, v in points]


def evidence(task: Task, rungs: Sequence[RungResult], noise: float = 0.0) -> Evidence:
    return Evidence(
        rungs, curve(task, noise), task.train_rows, task.train_usd, (), "", task.cadence, None, task.setting
    )


def candidate(task: Task, name: str, quality: Estimate, invalid: int) -> CandidateResult:
    return CandidateResult(
        name=name, title=name, metrics={"accuracy": quality}, ece=0.0, latency=latency(task.ways[name]),
        invalid_rows=invalid,
    )  # fmt: skip


def verdict_of(task: Task, random: np.random.Generator, tally: Tally) -> Verdict:
    """What a user would be told at the end, from what can be measured."""
    dev = answered(task, task.dev_rows, random)
    # Both ends of the curve are measured on the same dev rows: only the rows that differ make noise.
    noise = random.normal(0, math.sqrt(0.06 / task.dev_rows))
    known = evidence(task, measure(task, dev, tally), noise)
    decided = before.rule(known, task.targets, TrainSpec())
    if decided.verdict != "fine-tune":
        return decided.verdict
    best = decided.best.name
    truth = exact_worth(task, best)
    splits = [tested_on(task, best, random) for _ in range(SPLITS)]
    for tested in splits:
        cover(tally, task, tested, final.weigh_on_test(tested, known), truth)
    return final.rule(splits[0], known, task.targets)[0]


def tested_on(task: Task, best: str, random: np.random.Generator) -> final.OnTest:
    """A fine-tune and the best rung on a test split."""
    test = answered(task, task.test_rows, random)
    rung, tuned = (
        candidate(task, name, wilson(int(test.right[name].sum()), task.test_rows), int(test.invalid[name].sum()))
        for name in (best, "lora")
    )
    pair = paired(test.right["lora"], test.right[best], ("lora", best), resamples=1000)
    return final.OnTest(rung, tuned, pair, mean_usd(test.usd[best]) if best in PROMPTS else None)


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


def exact(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value, rows=EXACT)


def sure(value: float) -> Drawn:
    return Drawn(value, np.full(DRAWS, value), EXACT)


def true_rungs(task: Task) -> list[RungResult]:
    """Every way but the fine-tune, measured without error."""
    found: list[RungResult] = []
    for name in LOCAL:
        found.append(local(name, task.ways[name], exact(task.ways[name].right), task.train_rows))
    for name in PROMPTS:
        way = task.ways[name]
        found.append(
            prompted(name, way, exact(way.right), round(way.invalid * EXACT), exact(way.usd), "all rows", EXACT)
        )
    return found


def exact_tested(task: Task, best: str) -> final.OnTest:
    way, tuned = task.ways[best], task.ways["lora"]
    gap = tuned.right - way.right
    # McNemar's p of endless rows: 0 where there is a gap.
    pair = Paired(
        first="lora", second=best, difference=exact(gap), only_first_right=round(max(gap, 0) * EXACT),
        only_second_right=round(max(-gap, 0) * EXACT), mcnemar_p=0.0 if gap else 1.0,
    )  # fmt: skip
    price = exact(way.usd) if best in PROMPTS else None
    rung = candidate(task, best, exact(way.right), round(way.invalid * EXACT))
    return final.OnTest(rung, candidate(task, "lora", exact(tuned.right), 0), pair, price)


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
    decided = before.rule(known, task.targets, TrainSpec())
    if decided.verdict != "fine-tune":
        return decided.verdict
    return final.rule(exact_tested(task, decided.best.name), known, task.targets)[0]


def clear(task: Task) -> bool:
    """Whether the truth moved by the minimum effect leaves the oracle's verdict as it is."""
    wanted, effect = oracle(task), task.targets.min_effect
    for rungs, tuned, gain in product((-1, 0, 1), repeat=3):
        ways = {
            name: replace(
                way, right=float(np.clip(way.right + (tuned if name == "lora" else rungs) * effect, 0.01, 0.9999))
            )
            for name, way in task.ways.items()
        }
        if oracle(replace(task, ways=ways, gain=task.gain + gain * effect)) != wanted:
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
        found, wanted = verdict_of(task, random, tally), oracle(task)
        tally.pairs[found, wanted] += 1
        if clear(task):
            tally.clear[found, wanted] += 1
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
            print(f"  {found:<16}" + "".join(f"{pairs[found, wanted]:>12}" for wanted in verdicts))
        print()
    for what, held in tally.covered.items():
        print(f"{what:<40} covers {np.mean(held):.1%} of {len(held)}")
    rows = np.array(tally.bought)
    print(f"\nsequential: {1 - rows[:, 0].sum() / rows[:, 1].sum():.1%} of the rows and ", end="")
    print(f"{1 - rows[:, 2].sum() / rows[:, 3].sum():.1%} of the dollars of a full evaluation not bought")
    print(f"settled wrongly: {np.mean(tally.settled):.2%} of {len(tally.settled)} rungs settled early, ", end="")
    print(f"{np.mean(tally.tasks_settled):.2%} of {len(tally.tasks_settled)} tasks with one")


if __name__ == "__main__":
    raise SystemExit(main())
