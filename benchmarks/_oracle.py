"""What is right in a simulated task whose truth is known: what costs least in the long run and meets its targets.

Nothing of `tailtune.judge` is used here: an oracle that knew its rules would agree with them for that reason. A use
case's own policies (a training may cost so much, monthly changes forbid) are its declared wishes, and hold here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
from _tasks import PROMPTS, Task, Truth

Verdict = Literal["stay", "fine-tune", "not-yet"]
MAX_TRAIN_USD = 5.0  # as TrainSpec
CLEAR = 0.02
"""A truth that lies so far from every boundary is clear."""
CLEAR_MS = 0.1  # the same for p99, as a share
_MONTH_DAYS, _MONTH_HOURS, _OFTEN_DAYS = 365.25 / 12, 730, 30.0


def long_run_usd(task: Task, name: str, right: float | None = None) -> float | None:
    """US dollars over the horizon to own a way to answer, its errors included; None where no volume is declared.

    Args:
        task: With its truth.
        name: The way to answer.
        right: Share of right answers; None for its true one.
    """
    known, way = task.inputs, task.ways[name]
    if known is None or known.requests_per_day is None or known.error_usd is None:
        return None
    days = known.horizon_months * _MONTH_DAYS
    requests, changes = known.requests_per_day * days, days / (known.cadence_days or np.inf)
    cost = requests * (1 - (way.right if right is None else right)) * known.error_usd
    if name in PROMPTS and not way.hosted:
        cost += requests * way.usd
    else:
        cost += known.serving_cores * _MONTH_HOURS * known.horizon_months * (known.core_hour_usd or 0)
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
    serving = {name: way for name, way in ways.items() if _serves(task, way)}
    tuned, rungs = serving.pop("lora", None), serving
    needed = 1 - (1 - targets.quality) / targets.head_room
    doing = {name: way for name, way in rungs.items() if way.right >= needed}
    if doing:
        best = _cheapest(task, doing)
        reaches = tuned is not None and tuned.right >= targets.quality
        pays = reaches and _cheaper(task, best, targets.quality)
        return "fine-tune" if pays and not _forbidden(task, best) else "stay"
    able = rungs or {name: way for name, way in ways.items() if name != "lora"}
    best = max(able, key=lambda name: able[name].right) if task.inputs is None else _cheapest(task, able)
    gains = tuned is not None and _gains(task, best)
    if not gains:
        return "stay" if rungs else ("fine-tune" if tuned is not None and tuned.right >= targets.quality else "not-yet")
    reached = max(ways["lora"].right, ways[best].right) >= targets.quality
    lacking = task.train_rows < targets.min_train_rows and task.gain > targets.min_effect and not reached
    return "not-yet" if lacking or _forbidden(task, best) else "fine-tune"


def _serves(task: Task, way: Truth) -> bool:
    fast = task.targets.p99_ms is None or way.p99_ms <= task.targets.p99_ms
    return fast and (task.targets.validity is None or 1 - way.invalid >= task.targets.validity)


def _cheapest(task: Task, ways: Mapping[str, Truth]) -> str:
    costs = {name: long_run_usd(task, name) for name in ways}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return min(known, key=lambda name: known[name]) if known else next(iter(ways))


def _cheaper(task: Task, best: str, right: float | None = None) -> bool:
    """Whether the fine-tune, at its true quality or another, costs less in the long run; not where nobody can say."""
    ours, theirs = long_run_usd(task, "lora", right), long_run_usd(task, best)
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
    """Whether the right verdict stays as it is wherever the truth is moved by 2 points, and a p99 by a tenth."""
    verdict = right_verdict(task)
    for rungs, tuned, gain, slower in product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1), (-1, 0, 1)):
        if right_verdict(moved(task, rungs * CLEAR, tuned * CLEAR, gain * CLEAR, 1 + slower * CLEAR_MS)) != verdict:
            return False
    return True


def moved(task: Task, rungs: float, tuned: float, gain: float, slower: float) -> Task:
    """The same task with another truth."""
    ways = {
        name: replace(
            way,
            right=float(np.clip(way.right + (tuned if name == "lora" else rungs), 0.01, 0.9999)),
            p99_ms=way.p99_ms * slower,
        )
        for name, way in task.ways.items()
    }
    return replace(task, ways=ways, gain=task.gain + gain)
