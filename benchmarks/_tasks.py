"""Simulated tasks with known truth, for `verdicts.py`: how they are drawn, how models answer them, what is measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CandidateResult, CurvePoint, PromptedRung, RungResult, Settled
from tailtune.judge.constraints import Targets
from tailtune.judge.counted import Counted, Places
from tailtune.judge.economics import Cadence, CostInputs
from tailtune.judge.evidence import Evidence
from tailtune.judge.intervals import difference
from tailtune.judge.sequential import Outcomes

LOCAL = ("tfidf", "retrieval", "probe")
PROMPTS = ("lm_zero_shot", "lm_few_shot", "lm_retrieval", "lm_strong")
EXACT = 10**9  # rows of an oracle
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """One per way to answer.

    Attributes:
        right: Share of requests answered right.
        invalid: Share whose answer cannot be used, a part of those that are wrong.
        p99_ms: Of one request.
        usd: Of one request; 0 of one that runs on cores of our own.
        hosted: Whether a language model runs on cores of our own.
    """

    right: float
    invalid: float = 0.0
    p99_ms: float = 5.0
    usd: float = 0.0
    hosted: bool = False


@dataclass(frozen=True)
class Task:
    """One per simulated task.

    Attributes:
        group: Rows of a group, on average; 1 is a row alone. A group's rows are easy or hard together.
    """

    ways: dict[str, Truth]
    alike: float
    dev_rows: int
    test_rows: int
    train_rows: int
    gain: float
    train_usd: float
    targets: Targets
    cadence: Cadence
    inputs: CostInputs | None
    group: int = 1


def draw(random: np.random.Generator) -> Task:
    """A task; ranges are those of the use cases that were measured, wider."""
    target = random.uniform(0.82, 0.97)
    centre = target + random.normal(0, 0.5) * (1 - target)
    spread = (1 - target) * 0.8

    def quality(offset: float) -> float:
        return float(np.clip(centre + offset * spread + random.normal(0, 0.35) * spread, 0.3, 0.995))

    fast, usd = random.uniform(200, 1500), float(np.exp(random.uniform(np.log(5e-5), np.log(3e-3))))
    hosted = bool(random.random() < 0.2)
    ways = {name: Truth(quality(offset)) for name, offset in zip(LOCAL, (-1.5, -0.8, -0.4), strict=True)}
    for name, offset, dear in zip(PROMPTS, (-1.0, -0.6, 0.0, 0.4), (1, 2, 2.5, 25), strict=True):
        invalid = float(random.choice([0.0, 0.002, 0.03]))
        price = 0.0 if hosted else usd * dear
        ways[name] = Truth(min(quality(offset), 1 - invalid), invalid, fast * random.uniform(0.7, 1.4), price, hosted)
    ways["lora"] = Truth(quality(0.5))
    min_effect = float(random.choice([0.005, 0.01, 0.02]))
    p99 = (None, 100.0, 1000.0)[random.choice(3, p=[0.6, 0.15, 0.25])]
    targets = Targets(
        metric="accuracy",
        quality=target,
        min_effect=min_effect,
        head_room=1.5,
        min_train_rows=5000,
        p99_ms=p99,
        validity=(None, 0.99)[random.choice(2, p=[0.7, 0.3])],
    )
    days = float(np.exp(random.uniform(np.log(10), np.log(365))))
    train_rows = int(np.exp(random.uniform(np.log(800), np.log(30_000))))
    train_usd = float(np.exp(random.uniform(np.log(0.01), np.log(10))))
    near = float(ways["lm_retrieval"].p99_ms * random.choice([0.98, 1.02]))  # it just misses or meets
    if p99 is not None and random.random() < 0.3:
        targets = replace(targets, p99_ms=near)
    rows = int(np.exp(random.uniform(np.log(60), np.log(2000))))
    return Task(
        ways=ways,
        alike=random.uniform(0.4, 0.85),
        dev_rows=min(rows, 1000),
        test_rows=int(rows * random.uniform(1, 2)),
        group=int(random.choice([1, 5, 10], p=[0.7, 0.15, 0.15])),
        train_rows=train_rows,
        gain=max(0.0, random.normal(0.01, 0.02)),
        train_usd=train_usd,
        targets=targets,
        cadence=Cadence(days) if random.random() < 0.8 else Cadence(None, days),
        inputs=_cost_inputs(random, days, train_rows, train_usd) if random.random() < 0.7 else None,
    )


def _cost_inputs(random: np.random.Generator, days: float, train_rows: int, train_usd: float) -> CostInputs:
    per_day, error = (float(np.exp(random.uniform(np.log(a), np.log(b)))) for a, b in ((100, 1e5), (0.001, 0.3)))
    return CostInputs(
        requests_per_day=per_day, error_usd=error, horizon_months=12, cadence_days=days, train_rows=train_rows,
        train_usd=train_usd, prompt_hours_per_change=1.0, retrain_hours_per_change=2.0, new_labels_per_change=100,
        core_hour_usd=0.04, serving_cores=2, person_hour_usd=75.0, label_usd=0.08, storage_gb_month_usd=None,
    )  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """One per task and split: who is right on each row, whose answer is unusable, and what it cost."""

    right: dict[str, Bools]
    invalid: dict[str, Bools]
    usd: dict[str, NDArray[np.float64]]
    groups: Places | None = None


def answered(task: Task, rows: int, random: np.random.Generator) -> Rows:
    """Rows are easy or hard for everybody, to a degree, and those of a group together."""
    groups = None if task.group == 1 else np.arange(rows) // task.group
    shared = np.zeros(rows) if groups is None else random.standard_normal(rows)[groups]
    alike = 0.0 if groups is None else 0.5
    hard = math.sqrt(alike) * shared + math.sqrt(1 - alike) * random.standard_normal(rows)
    right, invalid, usd = {}, {}, {}
    for name, way in task.ways.items():
        own = random.standard_normal(rows)
        score = math.sqrt(task.alike) * hard + math.sqrt(1 - task.alike) * own
        right[name] = score < norm.ppf(way.right)
        invalid[name] = ~right[name] & (random.random(rows) < way.invalid / max(1e-12, 1 - way.right))
        usd[name] = way.usd * np.maximum(0.2, random.normal(1, 0.3, rows))
    return Rows(right, invalid, usd, groups)


def latency(way: Truth) -> Latency:
    """As known exactly: what is simulated are answers, and a p99 that just misses or meets its target."""
    return Latency(
        p50_ms=way.p99_ms / 2, p95_ms=way.p99_ms * 0.8, p99_ms=way.p99_ms, mean_ms=way.p99_ms / 2, rows=200,
        p99_low_ms=way.p99_ms * 0.9,
    )  # fmt: skip


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
        role="base", hosted=way.hosted, prompt="p", prompt_digest="0" * 12, settled=settled, of_rows=of_rows,
    )  # fmt: skip


def outcomes(right: Bools) -> Outcomes:
    hits = right.astype(np.int64)
    return np.stack([hits, 1 - hits, 1 - hits], axis=1)


def mean_usd(usd: NDArray[np.float64]) -> Estimate:
    mean, half = float(usd.mean()), 1.96 * float(usd.std(ddof=1)) / math.sqrt(len(usd))
    return Estimate(value=mean, low=max(0.0, mean - half), high=mean + half, rows=len(usd))


def curve(task: Task, random: np.random.Generator) -> list[CurvePoint]:
    """The cheap rung's learning curve: both ends answer the same dev rows, of which about 6 % differ."""
    top = task.ways["probe"].right
    differ = max(0.06, task.gain)
    kind = random.choice(3, size=task.dev_rows, p=[(differ + task.gain) / 2, (differ - task.gain) / 2, 1 - differ])
    gain = difference(Counted.shares(kind == 0), Counted.shares(kind == 1))
    points = ((task.train_rows // 2, top - gain.value, None), (task.train_rows, top, gain))
    return [
        CurvePoint(rows=n, quality=Estimate(value=v, low=v, high=v, rows=task.dev_rows), gain=gain)
        for n, v, gain in points
    ]


def evidence(task: Task, rungs: Sequence[RungResult], points: Sequence[CurvePoint] = ()) -> Evidence:
    return Evidence(
        rungs=rungs,
        curve=points,
        train_rows=task.train_rows,
        estimated_usd=task.train_usd,
        unmeasured=(),
        cadence=task.cadence,
        inputs=task.inputs,
    )


def candidate(task: Task, name: str, quality: Estimate, invalid: int) -> CandidateResult:
    return CandidateResult(
        name=name, title=name, metrics={"accuracy": quality}, ece=0.0, latency=latency(task.ways[name]),
        invalid_rows=invalid,
    )  # fmt: skip


def exact(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value, rows=EXACT)
