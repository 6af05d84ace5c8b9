"""What the monitor leaves in MLflow: a run for each window, and one run a version whose metrics have a time axis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailtune.core.run_plan import Point, RunPlan, points
from tailtune.services.mlflow.home import service_errors
from tailtune.services.mlflow.tracker import PUBLICATION, Tracker
from tailtune.services.mlflow.write import NOTE, RunWriter, now_ms

STAGE = "monitor"
_AXIS, _LAST_DAY, _SO_FAR = "tailtune.monitored_version", "tailtune.last_day", "tailtune.day_so_far"
_LOOK, _BEFORE = "tailtune.look", "tailtune.cost_before"
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_SUMS = ("cost_wall_s", "cost_cpu_s", "cost_usd", "cost_bought_usd")
"""Metrics of a run that several looks share which are sums over these."""
_ABOUT = (
    "Version {version} day by day, as the monitor saw it; a metric's step is the day, counted from 1970-01-01, and its "
    "time is the end of that day (UTC); a day that is not over has a point an hour, with the time of the look. Charts "
    "over weeks are drawn from here; what each look found stands in its run."
)


@dataclass(frozen=True)
class DayPoints:
    """One per day.

    Attributes:
        day: Counted from 1970-01-01 (UTC).
        values: Metric → value; what was not measured has none.
        at_ms: Of a day that was not over: when it was looked at, milliseconds since 1970.
        drifted: Whether drift was alarming.
    """

    day: int
    values: Mapping[str, float | None]
    at_ms: int | None = None
    drifted: bool = False


def publish(
    tracker: Tracker,
    version: str,
    key: str,
    plan: RunPlan,
    days: Sequence[DayPoints],
    wall_s: float,
    stage: str = STAGE,
    *,
    look: str = "",
    goes_on: str | None = None,
    since: str = "",
) -> str:
    """Write a look as a run, and its days into the version's run over time.

    Looks with the same key share a run: it shows the last of them, and what they cost together. What the run held
    before is noted there first, so that a look that is written again, or with later ones, counts once.

    Args:
        tracker: Of the use case.
        version: That was looked at.
        key: Names the run. A look that was torn is finished there, and one that stands there is not written again.
        plan: The run of the look.
        days: All days that are known, oldest first; those that stand there already are not written again.
        wall_s: Seconds that the look took.
        stage: What kind of look: the monitor's, an audit.
        look: Names the look; the key where each has a run of its own.
        goes_on: Key of a run that this look goes on with, if there is one.
        since: Names the first look whose cost the plan holds; the look itself where empty.

    Returns:
        The id of the look's run.

    Raises:
        ServiceError: MLflow does not answer.
    """
    with service_errors(tracker.uri, f"publishing a look at {tracker.case.name} v{version}"):
        ended = now_ms()
        run = (_run(tracker, PUBLICATION, goes_on) if goes_on else None) or _run(tracker, PUBLICATION, key)
        before, look = {} if run is None else run.data.tags, look or key
        if run is not None and before.get(_LOOK) == look and run.info.status == "FINISHED":
            run_id = str(run.info.run_id)
        else:
            costs = _costs_before(run, since or look)
            noted = json.dumps({"since": since or look, "costs": costs})
            if run is not None:
                tracker.client.set_tag(run.info.run_id, _BEFORE, noted)
                tracker.client.update_run(run.info.run_id, "RUNNING")
            tags = tracker.tags(stage) | {PUBLICATION: before.get(PUBLICATION, key), _LOOK: look, _BEFORE: noted}
            writer = RunWriter(tracker.client, tracker.experiment_id, tags, {}, ended - int(wall_s * 1000), ended)
            run_id = writer.write(_added(plan, costs), None if run is None else run.info.run_id)
        if days:
            _extend(tracker, version, days)
    return run_id


def _costs_before(run: Any, since: str) -> dict[str, float]:
    """Metric → what a run held before the first of some looks was written there, in part or whole."""
    if run is None:
        return {}
    noted = json.loads(run.data.tags.get(_BEFORE, "{}"))
    if noted.get("since") == since:
        return {str(name): float(value) for name, value in noted["costs"].items()}
    return {name: float(run.data.metrics[name]) for name in _SUMS if name in run.data.metrics}


def _added(plan: RunPlan, before: Mapping[str, float]) -> RunPlan:
    """A plan whose costs hold those of the looks before."""
    metrics = [replace(each, value=each.value + before.get(each.name, 0.0)) for each in plan.metrics]
    there = {each.name for each in metrics}
    metrics += [Point(name, value) for name, value in before.items() if name not in there]
    return replace(plan, metrics=tuple(metrics))


def _extend(tracker: Tracker, version: str, days: Sequence[DayPoints]) -> None:
    from mlflow.entities import Metric

    run = _axis(tracker, version)
    last = _last_day(tracker, run)
    for each in days:
        if each.day <= last:
            continue
        end_ms = (each.day + 1) * _DAY_MS if each.at_ms is None else each.at_ms
        mark = "" if each.at_ms is None else f"{each.day}, hour {each.at_ms // _HOUR_MS}, drift: {each.drifted}"
        if mark and run.data.tags.get(_SO_FAR) == mark:
            continue
        made = [Metric(point.name, point.value, end_ms, each.day) for point in points(each.values)]
        tracker.client.log_batch(run.info.run_id, made)
        name, value = (_SO_FAR, mark) if mark else (_LAST_DAY, str(each.day))
        tracker.client.set_tag(run.info.run_id, name, value)


def _last_day(tracker: Tracker, run: Any) -> int:
    """The last day that stands there whole; a look by a clock that was ahead must not keep later ones out."""
    last, today = int(run.data.tags.get(_LAST_DAY, "-1")), now_ms() // _DAY_MS
    if last <= today:
        return last
    there = tracker.client.get_metric_history(run.info.run_id, "rows")
    return max((point.step for point in there if point.step < today), default=-1)


def _axis(tracker: Tracker, version: str) -> Any:
    """The version's run over time, made when it is missing; it is finished, and metrics are added all the same."""
    client = tracker.client
    found = _run(tracker, _AXIS, version)
    if found is not None:
        return found
    tags = tracker.tags(STAGE) | {_AXIS: version, NOTE: _ABOUT.format(version=version)}
    run = client.create_run(tracker.experiment_id, tags=tags, run_name=f"monitor: v{version} day by day")
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id)


def _run(tracker: Tracker, tag: str, value: str) -> Any:
    """The newest run with a tag; None where there is none."""
    found = tracker.client.search_runs([tracker.experiment_id], f"tags.`{tag}` = '{value}'", max_results=1)
    return found[0] if found else None
