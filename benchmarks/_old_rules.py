"""The rules before ADR 016, frozen and in short, for the column *old* of `verdicts.py`. Nothing here follows the judge.

A rung *stays* where its value meets the target with head-room and the low end of Wilson's interval reaches the target
(a percentile bootstrap over rows for F1), however many rungs were looked at, and it is fast and usable enough. Labels
come first where the curve's gain, a point, exceeds the minimum effect below 5,000 labels. A fine-tune is trained where
nothing stays, pays or forbids. On test it wins where the bootstrap interval of the difference is above 0 and McNemar's
p over whole rows below 5 %, or within the minimum effect where it surely pays. Rows in groups count as alone, floors
and wrong labels are not seen, and a model of our own has `serving_cores` at any volume.

Shorter than they were: what buying stopped early keeps its confidence sequence, and groups are bought to the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from _answers import Answers, Floats, Rows
from _oracle import MAX_TRAIN_USD, Verdict, long_run_usd
from _tasks import LOCAL, Task
from scipy.stats import binomtest

from tailtune.core.records import Estimate
from tailtune.core.reports import CurvePoint

RESAMPLES, OFTEN_DAYS = 1000, 30.0


@dataclass(frozen=True)
class Seen:
    """One per rung: value and ends of its quality, share of rows not wholly right, share of usable answers."""

    name: str
    value: float
    low: float
    high: float
    wrong: float
    usable: float


def _seen(name: str, answers: Answers, sequence: Estimate | None) -> Seen:
    wrong, usable = 1 - float(answers.score.right.mean()), 1 - float(answers.invalid.mean())
    if sequence is not None:
        return Seen(name, sequence.value, sequence.low, sequence.high, wrong, usable)
    low, high = _ends(answers)
    return Seen(name, float(_f1(answers.outcomes.sum(axis=0))), low, high, wrong, usable)


def _f1(sums: Floats) -> Floats:
    result: Floats = 2 * sums[..., 0] / np.maximum(1, 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])
    return result


def _ends(answers: Answers, other: Answers | None = None) -> tuple[float, float]:
    """Wilson's interval of a share; the percentile bootstrap of an F1 or, with another's answers, of the difference."""
    rows = answers.outcomes.shape[0]
    if other is None and answers.score.metric == "accuracy":
        ends = binomtest(int(answers.outcomes[:, 0].sum()), rows).proportion_ci(0.95, "wilson")
        return float(ends.low), float(ends.high)
    times = np.random.default_rng(17).multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES).astype(float)
    values = _f1(times @ answers.outcomes) - (0.0 if other is None else _f1(times @ other.outcomes))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def verdict(
    task: Task, dev: Mapping[str, Answers], sequences: Mapping[str, Estimate], curve: Sequence[CurvePoint], test: Rows
) -> tuple[Verdict, bool]:
    """The verdict after the test, and whether it asks for labels.

    Args:
        task: Its targets and prices.
        dev: Rung → the answers that were bought, cheapest first.
        sequences: Rung → its interval where buying stopped early.
        curve: Of a cheap rung.
        test: Answers to test rows.
    """
    rungs = [_seen(name, answers, sequences.get(name)) for name, answers in dev.items()]
    if any(_stays(task, rung) for rung in rungs if rung.name in LOCAL):
        rungs = [rung for rung in rungs if rung.name in LOCAL]
    serving = [rung for rung in rungs if _serves(task, rung)]
    staying = [rung for rung in serving if _stays(task, rung)]
    best = _best(task, rungs, serving, staying)
    worth, lacking = _worth(task, best, task.targets.quality), _lacking(task, curve)
    often = task.cadence.declared_days is not None and task.cadence.declared_days <= OFTEN_DAYS
    against = lacking or (often and worth <= 0) or task.train_usd > MAX_TRAIN_USD
    if not staying:
        most = max(_needed(task), best.high, *(rung.high for rung in serving)) if serving else 1.0
        nothing_pays = task.inputs is not None and best in serving and _worth(task, best, min(1.0, most)) <= 0
        decided: Verdict = "stay" if nothing_pays else ("not-yet" if against else "fine-tune")
    else:
        decided = "stay" if worth <= 0 or against else "fine-tune"
    if decided == "fine-tune":
        return _tested(task, best, lacking, test)
    tested = _seen(best.name, test.answers[best.name], None)
    did = best.value >= _needed(task) and best.low >= task.targets.quality
    contradicted = (did and tested.high < task.targets.quality) or (best in serving and not _serves(task, tested))
    return ("not-yet" if decided == "stay" and contradicted else decided), decided == "not-yet" and lacking


def _needed(task: Task) -> float:
    return 1 - (1 - task.targets.quality) / task.targets.head_room


def _serves(task: Task, rung: Seen) -> bool:
    slowest, least = task.targets.p99_ms, task.targets.validity
    fast = slowest is None or task.ways[rung.name].p99_ms <= slowest
    return fast and (least is None or rung.usable >= least)


def _stays(task: Task, rung: Seen) -> bool:
    return _serves(task, rung) and rung.value >= _needed(task) and rung.low >= task.targets.quality


def _best(task: Task, rungs: Sequence[Seen], serving: Sequence[Seen], staying: Sequence[Seen]) -> Seen:
    able = staying or serving or rungs
    highest = max(able, key=lambda rung: rung.value)
    if task.inputs is None:
        return able[0] if staying else highest
    near = [rung for rung in able if 1 - rung.value <= task.targets.head_room * (1 - highest.value)]
    return min(staying or near, key=lambda rung: long_run_usd(task, rung.name, rung.wrong, by_volume=False) or 0.0)


def _worth(task: Task, best: Seen, quality: float) -> float:
    """Net value of a fine-tune of an assumed quality; −infinite where no volume is declared."""
    wrong = best.wrong * (1 - quality) / (1 - best.value) if best.value < 1 else 0.0
    theirs = long_run_usd(task, best.name, best.wrong, by_volume=False)
    ours = long_run_usd(task, "lora", wrong, by_volume=False)
    return -math.inf if ours is None or theirs is None else theirs - ours


def _lacking(task: Task, curve: Sequence[CurvePoint]) -> bool:
    gained = curve[-1].quality.value - curve[-2].quality.value
    return task.train_rows < task.targets.min_train_rows and gained > task.targets.min_effect


def _tested(task: Task, best: Seen, lacking: bool, test: Rows) -> tuple[Verdict, bool]:
    """The verdict after a training."""
    tuned, rung = (_seen(name, test.answers[name], None) for name in ("lora", best.name))
    gap, (low, _) = tuned.value - rung.value, _ends(test.answers["lora"], test.answers[best.name])
    ours, theirs = (test.answers[name].score.right for name in ("lora", best.name))
    alone, other = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    better = low > 0 and alone + other > 0 and binomtest(alone, alone + other).pvalue < 0.05
    pays = _pays(task, best.name, alone, other, ours.size)
    reaches, target = tuned.value >= task.targets.quality, task.targets.quality
    keeps = (reaches or rung.value < target) and low > -task.targets.min_effect
    enough = pays if pays is not None else gap >= task.targets.min_effect
    if _serves(task, tuned) and ((better and enough) or (pays and keeps) or (not _serves(task, rung) and reaches)):
        return "fine-tune", False
    if lacking and max(tuned.value, rung.value) < target:
        return "not-yet", True
    return ("stay" if _serves(task, rung) else "not-yet"), False


def _pays(task: Task, name: str, alone: int, other: int, rows: int) -> bool | None:
    """Whether the fine-tune is worth more with 95 %, by a Bayesian bootstrap; None where no volume is declared."""
    ours, theirs = (long_run_usd(task, each, 0.0, by_volume=False) for each in ("lora", name))
    if task.inputs is None or ours is None or theirs is None:
        return None
    shares = np.random.default_rng(17).dirichlet([alone + 0.5, other + 0.5, rows - alone - other + 1.0], size=4000)
    errors = (shares[:, 0] - shares[:, 1]) * (task.inputs.error_usd or 0.0) * (task.inputs.requests or 0.0)
    return bool((errors + theirs - ours > 0).mean() >= 0.95)
