"""What the monitor leaves in MLflow: a run for each window, and one run a version whose metrics have a time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.core.run_plan import RunPlan, points
from tailtune.services.mlflow.home import service_errors
from tailtune.services.mlflow.tracker import PUBLICATION, Tracker
from tailtune.services.mlflow.write import NOTE, RunWriter, now_ms

STAGE = "monitor"
_AXIS, _LAST_DAY = "tailtune.monitored_version", "tailtune.last_day"
_DAY_MS = 86_400_000
_ABOUT = (
    "Version {version} day by day, as the monitor saw it; a metric's step is the day, counted from 1970-01-01, and its "
    "time is the end of that day (UTC). Charts over weeks are drawn from here; what each look found stands in its run."
)


@dataclass(frozen=True)
class DayPoints:
    """One per day: metric → value; what was not measured has none."""

    day: int
    values: Mapping[str, float | None]


def publish(
    tracker: Tracker,
    version: str,
    key: str,
    plan: RunPlan,
    days: Sequence[DayPoints],
    wall_s: float,
    stage: str = STAGE,
) -> str:
    """Write a look as a run of its own, and its days into the version's run over time.

    Args:
        tracker: Of the use case.
        version: That was looked at.
        key: Equal for the same look: one that was torn is finished, and one that stands there is not written again.
        plan: The run of the look.
        days: All days that are known, oldest first; those that stand there already are not written again.
        wall_s: Seconds that the look took.
        stage: What kind of look: the monitor's, an audit.

    Returns:
        The id of the look's run.

    Raises:
        ServiceError: MLflow does not answer.
    """
    with service_errors(tracker.uri, f"publishing a look at {tracker.case.name} v{version}"):
        ended = now_ms()
        tags = tracker.tags(stage) | {PUBLICATION: key}
        writer = RunWriter(tracker.client, tracker.experiment_id, tags, {}, ended - int(wall_s * 1000), ended)
        run_id = writer.write(plan)
        if days:
            _extend(tracker, version, days)
    return run_id


def _extend(tracker: Tracker, version: str, days: Sequence[DayPoints]) -> None:
    from mlflow.entities import Metric

    run = _axis(tracker, version)
    last = int(run.data.tags.get(_LAST_DAY, "-1"))
    for each in days:
        if each.day <= last:
            continue
        end_ms = (each.day + 1) * _DAY_MS
        made = [Metric(point.name, point.value, end_ms, each.day) for point in points(each.values)]
        tracker.client.log_batch(run.info.run_id, made)
        tracker.client.set_tag(run.info.run_id, _LAST_DAY, str(each.day))


def _axis(tracker: Tracker, version: str) -> Any:
    """The version's run over time, made when it is missing; it is finished, and metrics are added all the same."""
    client = tracker.client
    found = client.search_runs([tracker.experiment_id], f"tags.`{_AXIS}` = '{version}'", max_results=1)
    if found:
        return found[0]
    tags = tracker.tags(STAGE) | {_AXIS: version, NOTE: _ABOUT.format(version=version)}
    run = client.create_run(tracker.experiment_id, tags=tags, run_name=f"monitor: v{version} day by day")
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id)
