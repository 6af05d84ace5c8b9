"""What one stage leaves in MLflow, as a value: built without MLflow, written by `write.py`."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tailtune.core.records import Cost, Estimate, Latency, Split

if TYPE_CHECKING:
    from tailtune.core.reports import CandidateResult, RungResult

COST_UNKNOWN = "tailtune.cost_unknown"
_NAME_CHARACTERS = 249
Status = Literal["FINISHED", "FAILED", "KILLED"]
Table = Mapping[str, Sequence[object]]  # column → values, all of one length


@dataclass(frozen=True, slots=True)
class Point:
    """One per metric value."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """One per MLflow run.

    Attributes:
        name: Run name, what the UI's table and the compare page show.
        note: Markdown shown on top of the run's page.
        splits: Whose rows were read; each becomes a dataset input with its digest.
        tables: Artifact file (`.json`) → table.
        files: File → artifact folder (empty: the top).
        texts: Artifact file → its text; charts are SVG (`figures/*.svg`).
        status: What the UI shows: FAILED when a gate said no or the work failed, KILLED after Ctrl-C.
        children: Nested runs.
    """

    name: str
    note: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Point, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    files: tuple[tuple[Path, str], ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    status: Status = "FINISHED"
    children: tuple[RunPlan, ...] = ()


def points(values: Mapping[str, float | None], step: int = 0) -> tuple[Point, ...]:
    """Metrics of the values that are known: null and NaN are not logged, never 0.

    Infinity is not logged either: MLflow would keep the largest number there is, and its charts show nothing else.
    Names that MLflow cannot tell apart, as those of the labels `C+` and `C#`, end in a digest of their own.
    """
    written = {name: metric_name(name) for name in values}
    alike = Counter(written.values())
    return tuple(
        Point(written[name] if alike[written[name]] == 1 else _told_apart(name), float(value), step)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    )


def estimate_values(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three metrics: value, `_low` and `_high` end of its 95 % interval."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def scored_values(result: RungResult | CandidateResult) -> dict[str, float | None]:
    """The metrics that every scored predictor has, whichever run they stand in."""
    measured = [estimate_values(name, estimate) for name, estimate in result.metrics.items()]
    return {
        **{name: value for values in measured for name, value in values.items()},
        **latency_values(result.latency),
        "usd_per_1000": result.usd_per_1000,
        "invalid_rows": result.invalid_rows,
    }


def latency_values(latency: Latency | None) -> dict[str, float]:
    """Latency percentiles and the mean of each part as metrics, in milliseconds; nothing when it was not timed."""
    if latency is None:
        return {}
    return {
        "latency_p50_ms": latency.p50_ms,
        "latency_p95_ms": latency.p95_ms,
        "latency_p99_ms": latency.p99_ms,
        "latency_mean_ms": latency.mean_ms,
        **{f"latency_{part}_ms": mean_ms for part, mean_ms in latency.parts.items()},
    }


def cost_points(cost: Cost | None) -> tuple[Point, ...]:
    """What the stage cost, `cost_*`; an unknown price is not logged."""
    if cost is None:
        return ()
    return points(
        {
            "cost_wall_s": cost.wall_s,
            "cost_cpu_s": cost.cpu_s,
            "cost_peak_memory_mb": cost.peak_memory_mb,
            "cost_usd": cost.usd,
            "cost_bought_usd": cost.bought_usd,
        }
    )


def cost_tags(cost: Cost | None) -> dict[str, str]:
    """Which dollars of the stage are not known, by name: a metric that is missing does not say why."""
    known = {} if cost is None else {"cost_usd": cost.usd, "cost_bought_usd": cost.bought_usd}
    unknown = [name for name, usd in known.items() if usd is None]
    return {COST_UNKNOWN: ", ".join(unknown)} if unknown else {}


def metric_name(name: str) -> str:
    """A name MLflow accepts: letters, digits and `_-./ `, and no path that leads elsewhere; the rest becomes `_`."""
    if len(name) > _NAME_CHARACTERS:
        return _told_apart(name)
    parts = re.sub(r"[^\w\-./ ]", "_", name).split("/")
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)


def _told_apart(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{metric_name(name[: _NAME_CHARACTERS - 7])}_{digest}"


def columns(records: Sequence[Any]) -> dict[str, Sequence[object]]:
    """Flat pydantic records as a table."""
    names = list(type(records[0]).model_fields) if records else []
    return {name: [_flat(getattr(record, name)) for record in records] for name in names}


def _flat(value: object) -> object:
    """An estimate as its value, named figures as words: a table has one figure or text a cell."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {figure:g}" for name, figure in value.items())
    return value.value if isinstance(value, Estimate) else value


def prompt_name(use_case: str, prompt: str) -> str:
    """The registry's name of a use case's prompt file, e.g. `support-tickets.few_shot`.

    Args:
        use_case: The use case's name.
        prompt: The file's name without its ending.
    """
    return f"{use_case}.{prompt}"
