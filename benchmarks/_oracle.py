"""What is right in a simulated task whose truth is known: what costs least in the long run and meets its targets.

Nothing of `tailtune.judge` is used here: an oracle that knew its rules would agree with them for that reason. A use
case's own policies (a training may cost so much, monthly changes forbid, uneven labels ask for macro F1) are its
declared wishes, and hold here too. The truth of a task with wrong labels is that on right ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
from _answers import whole_rows_right
from _tasks import PROMPTS, Task, Truth

Verdict = Literal["stay", "fine-tune", "not-yet"]
MAX_TRAIN_USD = 5.0  # as TrainSpec
CLEAR = 0.02
"""A truth that lies so far from every boundary is clear."""
CLEAR_MS, CLEAR_INVALID = 0.1, 0.005  # the same for p99, as a share of it, and for answers that cannot be used
_MONTH_DAYS, _MONTH_HOURS, _OFTEN_DAYS, _DAY_MS = 365.25 / 12, 730, 30.0, 86_400_000


def long_run_usd(task: Task, name: str, wrong: float | None = None, by_volume: bool = True) -> float | None:
    """US dollars over the horizon to own a candidate, its errors included; None where no volume is declared.

    Args:
        task: With its truth.
        name: The candidate.
        wrong: Share of requests not answered wholly right; None for the true one.
        by_volume: Whether more requests need more cores; otherwise there are `serving_cores`.
    """
    known, truth = task.inputs, task.ways[name]
    if known is None or known.requests_per_day is None or known.error_usd is None:
        return None
    days = known.horizon_months * _MONTH_DAYS
    requests, changes = known.requests_per_day * days, days / (known.cadence_days or np.inf)
    cost = requests * (1 - whole_rows_right(task, truth) if wrong is None else wrong) * known.error_usd
    if name in PROMPTS and not truth.hosted:
        cost += requests * truth.usd
    else:
        busy = known.requests_per_day * truth.mean_ms / (_DAY_MS * known.utilisation)
        cores = max(known.serving_cores, math.ceil(busy)) if by_volume else known.serving_cores
        cost += cores * _MONTH_HOURS * known.horizon_months * (known.core_hour_usd or 0)
    person, label, train = known.person_hour_usd or 0, known.label_usd or 0, task.train_usd
    if name in PROMPTS:
        return cost + changes * known.prompt_hours_per_change * person
    each = known.retrain_hours_per_change * person + known.new_labels_per_change * label
    return cost + changes * each + ((changes + 1) * train if name == "lora" else 0)


def right_verdict(task: Task) -> Verdict:
    """The verdict that the truth asks for.

    Where a rung does what is asked, nobody needs a fine-tune; it is right all the same where one that only just meets
    the target would cost less.
    """
    targets, ways = task.targets, task.ways
    serving = {name: truth for name, truth in ways.items() if _serves(task, truth)}
    tuned, rungs = serving.pop("lora", None), serving
    needed = 1 - (1 - targets.quality) / targets.head_room
    doing = {name: truth for name, truth in rungs.items() if truth.right >= needed}
    if doing:
        best = _cheapest(task, doing)
        reaches = tuned is not None and tuned.right >= targets.quality
        pays = reaches and _cheaper(task, best, targets.quality)
        return "fine-tune" if pays and not _forbidden(task, best) else "stay"
    able = rungs or {name: truth for name, truth in ways.items() if name != "lora"}
    best = max(able, key=lambda name: able[name].right) if task.inputs is None else _cheapest(task, able)
    gains = tuned is not None and _gains(task, best)
    if not gains:
        return "stay" if rungs else ("fine-tune" if tuned is not None and tuned.right >= targets.quality else "not-yet")
    reached = max(ways["lora"].right, ways[best].right) >= targets.quality
    lacking = task.train_rows < targets.min_train_rows and task.gain > targets.min_effect and not reached
    return "not-yet" if lacking or _forbidden(task, best) else "fine-tune"


def _serves(task: Task, truth: Truth) -> bool:
    """Whether it meets every constraint: latency, usable answers, a floor."""
    fast = task.targets.p99_ms is None or truth.p99_ms <= task.targets.p99_ms
    usable = task.targets.validity is None or 1 - truth.invalid >= task.targets.validity
    return fast and usable and truth.floor >= task.floor


def _cheapest(task: Task, ways: Mapping[str, Truth]) -> str:
    costs = {name: long_run_usd(task, name) for name in ways}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return min(known, key=lambda name: known[name]) if known else next(iter(ways))


def _cheaper(task: Task, best: str, quality: float | None = None) -> bool:
    """Whether the fine-tune, at its true quality or another, costs less in the long run; not where nobody can say."""
    tuned = task.ways["lora"]
    wrong = 1 - whole_rows_right(task, tuned)
    if quality is not None and tuned.right < 1:  # whole rows that are wrong shrink as errors do
        wrong = min(1.0, wrong * (1 - quality) / (1 - tuned.right))
    ours, theirs = long_run_usd(task, "lora", wrong), long_run_usd(task, best)
    return ours is not None and theirs is not None and ours < theirs


def _gains(task: Task, best: str) -> bool:
    """Whether the fine-tune is worth having: it costs less; where no volume is declared, it is better by enough."""
    if task.inputs is not None:
        return _cheaper(task, best)
    return task.ways["lora"].right - task.ways[best].right >= task.targets.min_effect


def _forbidden(task: Task, best: str) -> bool:
    often = task.cadence.declared_days is not None and task.cadence.declared_days <= _OFTEN_DAYS
    return task.train_usd > MAX_TRAIN_USD or (often and not _cheaper(task, best))


def is_clear(task: Task) -> bool:
    """Whether the right verdict stays as it is wherever the truth is moved.

    Qualities, the gain of labels and the measure with a floor are moved by 2 points, a p99 by a tenth, and the share of
    answers that cannot be used by half a point.
    """
    verdict, signs = right_verdict(task), (-1, 0, 1)
    floors = signs if task.floor else (0,)
    return all(right_verdict(_moved(task, *move)) == verdict for move in product(signs, signs, signs, signs, floors))


def _moved(task: Task, rungs: int, tuned: int, gain: int, constraints: int, floor: int) -> Task:
    """The same task with another truth; each argument is the sign of a move."""
    ways = {
        name: replace(
            truth,
            right=float(np.clip(truth.right + (tuned if name == "lora" else rungs) * CLEAR, 0.01, 0.9999)),
            p99_ms=truth.p99_ms * (1 + constraints * CLEAR_MS),
            invalid=max(0.0, truth.invalid + constraints * CLEAR_INVALID) if truth.invalid else 0.0,
            floor=truth.floor + floor * CLEAR,
        )
        for name, truth in task.ways.items()
    }
    return replace(task, ways=ways, gain=task.gain + gain * CLEAR)
