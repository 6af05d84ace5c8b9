"""Simulated tasks with known truth, for `verdicts.py`: how they are drawn, and what is measured of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from _answers import NAMED, Answers, Bools, Floats, Rows, rights, true_macro_f1

from tailtune.core.label_noise import LabelNoise
from tailtune.core.records import Estimate, Latency, Split
from tailtune.core.reports import CandidateResult, CurvePoint, Guard, PromptedRung, RungResult, Settled
from tailtune.judge.ceiling import wrong_share
from tailtune.judge.constraints import Targets
from tailtune.judge.counted import Counted
from tailtune.judge.economics import Cadence, CostInputs
from tailtune.judge.evidence import Evidence
from tailtune.judge.guards import by_default
from tailtune.judge.intervals import difference

Kind = Literal["plain", "extraction", "imbalance", "label noise", "floor"]
LOCAL = ("tfidf", "retrieval", "probe")
PROMPTS = ("lm_zero_shot", "lm_few_shot", "lm_retrieval", "lm_strong")
PLAIN_SHARE = 0.4  # of all tasks; the other kinds share the rest


@dataclass(frozen=True)
class Truth:
    """One per candidate.

    Attributes:
        right: What the target is about: share of requests answered right, or field F1.
        invalid: Share whose answer cannot be used, a part of those that are wrong.
        p99_ms: Of one request.
        usd: Of one request; 0 of one that runs on cores of our own.
        hosted: Whether a language model runs on cores of our own.
        floor: The measure that has a floor; 1 where none has.
        neglect: How many times as often a rare label fails as the most frequent one.
    """

    right: float
    invalid: float = 0.0
    p99_ms: float = 5.0
    usd: float = 0.0
    hosted: bool = False
    floor: float = 1.0
    neglect: float = 1.0

    @property
    def mean_ms(self) -> float:
        """Milliseconds that an answer keeps a core busy."""
        return self.p99_ms / 2


@dataclass(frozen=True)
class Task:
    """One per simulated task.

    Attributes:
        ways: Candidate → its truth.
        group: Rows of a group, on average; 1 is a row alone. A group's rows are easy or hard together.
        floor: Least value of the measure that has a floor; 0 where none has.
        labels: Share of rows of each label, the most frequent first, shape (labels,).
        wrong_labels: Share of labels that are wrong.
        finds: Share of wrong labels that look wrong.
        mistakes: Share of other errors of a model that make a right label look wrong.
        fields: Of an object.
        always_missed: Whether there is one more field that no candidate ever finds.
        near_miss: Whether a prompt just misses or meets a constraint.
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
    kind: Kind = "plain"
    floor: float = 0.0
    labels: Floats = field(default_factory=lambda: np.ones(1))
    wrong_labels: float = 0.0
    finds: float = 0.76
    mistakes: float = 0.065
    fields: int = 1
    always_missed: bool = False
    near_miss: bool = False


def draw(random: np.random.Generator) -> Task:
    """A task; ranges are those of the use cases that were measured, wider."""
    target = random.uniform(0.82, 0.97)
    ways = _ways(target, random)
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
    near = float(ways["lm_retrieval"].p99_ms * random.choice([0.85, 0.98, 1.02, 1.15]))
    near_miss = p99 is not None and random.random() < 0.3
    rows = int(np.exp(random.uniform(np.log(60), np.log(2000))))
    task = Task(
        ways=ways,
        alike=random.uniform(0.4, 0.85),
        dev_rows=min(rows, 1000),
        test_rows=int(rows * random.uniform(1, 2)),
        group=int(random.choice([1, 5, 10], p=[0.7, 0.15, 0.15])),
        train_rows=train_rows,
        gain=max(0.0, random.normal(0.01, 0.02)),
        train_usd=train_usd,
        targets=replace(targets, p99_ms=near) if near_miss else targets,
        cadence=Cadence(days) if random.random() < 0.8 else Cadence(None, days),
        inputs=_cost_inputs(random, days, train_rows, train_usd, ways) if random.random() < 0.7 else None,
        near_miss=near_miss,
    )
    kinds: tuple[Kind, ...] = ("extraction", "imbalance", "label noise", "floor")
    kind: Kind = "plain" if random.random() < PLAIN_SHARE else kinds[random.integers(len(kinds))]
    return _of_kind(task, kind, random)


def _ways(target: float, random: np.random.Generator) -> dict[str, Truth]:
    centre = target + random.normal(0, 0.5) * (1 - target)
    spread = (1 - target) * 0.8

    def quality(offset: float) -> float:
        return float(np.clip(centre + offset * spread + random.normal(0, 0.35) * spread, 0.3, 0.995))

    fast, usd = random.uniform(200, 1500), float(np.exp(random.uniform(np.log(5e-5), np.log(3e-3))))
    hosted = bool(random.random() < 0.2)
    ways = {name: Truth(quality(offset)) for name, offset in zip(LOCAL, (-1.5, -0.8, -0.4), strict=True)}
    for name, offset, dear in zip(PROMPTS, (-1.0, -0.6, 0.0, 0.4), (1, 2, 2.5, 25), strict=True):
        invalid = float(random.choice([0.0, 0.002, 0.015, 0.03]))
        price, p99 = 0.0 if hosted else usd * dear, fast * random.uniform(0.7, 1.4)
        ways[name] = Truth(min(quality(offset), 1 - invalid), invalid, p99, price, hosted)
    ways["lora"] = Truth(quality(0.5))
    return ways


def _cost_inputs(
    random: np.random.Generator, days: float, train_rows: int, train_usd: float, ways: dict[str, Truth]
) -> CostInputs:
    hosted = any(truth.hosted for truth in ways.values())
    most = 1e6 if hosted else 1e5  # requests a day; a model in a folder then needs up to some dozens of cores
    per_day, error = (float(np.exp(random.uniform(np.log(a), np.log(b)))) for a, b in ((100, most), (0.001, 0.3)))
    return CostInputs(
        requests_per_day=per_day, error_usd=error, horizon_months=12, cadence_days=days, train_rows=train_rows,
        train_usd=train_usd, prompt_hours_per_change=1.0, retrain_hours_per_change=2.0, new_labels_per_change=100,
        core_hour_usd=0.04, serving_cores=2, person_hour_usd=75.0, label_usd=0.08, storage_gb_month_usd=None,
        tuned_ms=ways["lora"].mean_ms,
    )  # fmt: skip


def _of_kind(task: Task, kind: Kind, random: np.random.Generator) -> Task:
    """The same task as one of a kind."""
    if kind == "extraction":
        always = bool(random.random() < 0.3)
        fields = 45 if always else int(random.choice([5, 12, 45]))
        ways = {name: replace(truth, invalid=0.0) for name, truth in task.ways.items()}
        targets = replace(task.targets, metric="field_f1", validity=None)
        if always:  # nobody can be better than that
            most = 2 * fields / (2 * fields + 1) - 0.002
            ways = {name: replace(truth, right=min(truth.right, most)) for name, truth in ways.items()}
            targets = replace(targets, quality=min(targets.quality, 0.95))
        return replace(task, kind=kind, fields=fields, always_missed=always, ways=ways, targets=targets)
    if kind == "label noise":
        return replace(
            task,
            kind=kind,
            wrong_labels=float(random.uniform(0.02, 0.1)),
            finds=float(random.uniform(0.58, 0.95)),
            mistakes=float(random.uniform(0.01, 0.14)),
        )
    if kind == "imbalance":
        return _uneven(task, random)
    return _with_floor(task, random) if kind == "floor" else task


def _uneven(task: Task, random: np.random.Generator) -> Task:
    """One label has half of all rows or more, and rare ones fail more often with some candidates."""
    few = np.exp(random.uniform(np.log(0.02), np.log(0.3), size=int(random.integers(1, 6))))
    most = random.uniform(0.6, 0.95)
    few *= (1 - most) / few.sum()
    few[few.argmin()] = min(few.min(), most / 12)  # the ratio from which macro F1 joins the target, and above
    shares = np.concatenate([[1 - few.sum()], np.sort(few)[::-1]])
    guard = by_default({str(place): int(share * 1e6) for place, share in enumerate(shares)}, task.targets.quality)
    assert guard is not None
    even = true_macro_f1(shares, np.full(shares.size, task.targets.quality))
    uneven = replace(task, kind="imbalance", labels=shares, floor=even, targets=replace(task.targets, guards=(guard,)))
    ways = {}
    for name, truth in task.ways.items():
        neglecting = replace(truth, neglect=float(random.choice([1.0, 1.0, 2.0, 5.0])))
        ways[name] = replace(neglecting, floor=true_macro_f1(shares, rights(uneven, neglecting)))
    return replace(uneven, ways=ways)


def _with_floor(task: Task, random: np.random.Generator) -> Task:
    """One label of which so much must be found."""
    rare, floor = random.uniform(0.05, 0.3), random.uniform(0.75, 0.95)
    targets = replace(task.targets, guards=(Guard(metric=NAMED, floor=floor),))
    ways = {}
    for name, truth in task.ways.items():
        named = float(np.clip(truth.right + random.normal(-0.02, 0.08), 0.3, 0.99))
        most = rare * named + (1 - rare) * 0.999  # if all others are answered right
        ways[name] = replace(truth, floor=named, right=min(truth.right, most))
    labels = np.array([1 - rare, rare])
    return replace(task, kind="floor", floor=floor, labels=labels, targets=targets, ways=ways)


def latency(truth: Truth) -> Latency:
    """As known exactly: what is simulated are answers, and a p99 that just misses or meets its target."""
    return Latency(
        p50_ms=truth.mean_ms, p95_ms=truth.p99_ms * 0.8, p99_ms=truth.p99_ms, mean_ms=truth.mean_ms, rows=200,
        p99_low_ms=truth.p99_ms * 0.9,
    )  # fmt: skip


def local(task: Task, name: str, answers: Answers) -> RungResult:
    return RungResult(
        name=name, title=name, metrics=answers.score.metrics, latency=latency(task.ways[name]), usd_per_1000=0.0,
        fit_s=1.0, fit_rows=task.train_rows,
    )  # fmt: skip


def prompted(task: Task, name: str, bought: Answers, sequence: Estimate | None, settled: Settled) -> PromptedRung:
    """A prompt's result.

    Args:
        task: With its truth.
        name: Of the rung.
        bought: Its answers.
        sequence: The interval of its quality where it was stopped early; None where it was not.
        settled: Why buying stopped.
    """
    truth, usd, metrics = task.ways[name], mean_usd(bought.usd), dict(bought.score.metrics)
    if sequence is not None:
        metrics[bought.score.metric] = sequence
    return PromptedRung(
        name=name, title=name, metrics=metrics, latency=latency(truth), usd_per_1000=usd.value * 1000,
        usd_low=usd.low * 1000, usd_high=usd.high * 1000, invalid_rows=int(bought.invalid.sum()), fit_s=0.0,
        fit_rows=0, model="m", role="base", hosted=truth.hosted, prompt="p", prompt_digest="0" * 12, settled=settled,
        of_rows=task.dev_rows,
    )  # fmt: skip


def candidate(task: Task, name: str, answers: Answers) -> CandidateResult:
    return CandidateResult(
        name=name, title=name, metrics=answers.score.metrics, ece=0.0, latency=latency(task.ways[name]),
        invalid_rows=int(answers.invalid.sum()),
    )  # fmt: skip


def mean_usd(usd: Floats) -> Estimate:
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


def label_noise(task: Task, rows: Rows, split: Split, random: np.random.Generator) -> LabelNoise | None:
    """What the check of labels says; None where it finds none, as in most tasks, and for objects, which have none."""
    if task.kind != "label noise":
        return None
    missed: Bools = ~rows.answers["probe"].score.right
    chance = np.where(rows.wrong_labels, task.finds, np.where(missed, task.mistakes, 0.0))
    suspect = random.random(missed.size) < chance
    wrong = wrong_share(suspect, missed, [None] * missed.size)
    return LabelNoise(split=split, rows=missed.size, suspect_rows=int(suspect.sum()), wrong=wrong)


def evidence(
    task: Task, rungs: Sequence[RungResult], points: Sequence[CurvePoint], labels: LabelNoise | None
) -> Evidence:
    return Evidence(
        rungs=rungs,
        curve=points,
        train_rows=task.train_rows,
        estimated_usd=task.train_usd,
        unmeasured=(),
        cadence=task.cadence,
        inputs=task.inputs,
        labels=labels,
    )
