"""The columns that runs of several stages share, so that Compare puts them side by side."""

from __future__ import annotations

from tailtune.config.model import Declared
from tailtune.core.records import Split
from tailtune.core.reports import CandidateResult, Economics, Paired, RungResult
from tailtune.core.run_plan import estimate_values, latency_values

TRAIN_DEV: tuple[Split, ...] = ("train", "dev")


def quality(result: RungResult | CandidateResult) -> dict[str, float | None]:
    """The columns every scored predictor shares."""
    return {
        **{name: v for metric, found in result.metrics.items() for name, v in estimate_values(metric, found).items()},
        **latency_values(result.latency),
        "usd_per_1000": result.usd_per_1000,
        "invalid_rows": result.invalid_rows,
    }


def paired(comparison: Paired | None) -> dict[str, float | None]:
    """A comparison on the same rows; nothing when there was none."""
    if comparison is None:
        return {}
    return {
        **estimate_values("difference", comparison.difference),
        "mcnemar_p": comparison.mcnemar_p,
        "only_first_right": comparison.only_first_right,
        "only_second_right": comparison.only_second_right,
    }


def economy(found: Economics | None) -> dict[str, float | None]:
    """Both roads in dollars: `tco_usd/<road>` and its parts, net value and break-even volume with their intervals."""
    if found is None:
        return {}
    values: dict[str, float | None] = {
        "requests_per_day": found.requests_per_day,
        "error_usd": found.error_usd,
        "horizon_months": found.horizon_months,
        "net_value_probability": found.probability,
    }
    for name, estimate in (("net_value_usd", found.net_value), ("break_even_per_day", found.break_even_per_day)):
        values |= {} if estimate is None else estimate_values(name, estimate)
    for road in found.candidates:
        values |= {
            f"tco_usd/{road.name}": road.total_usd,
            f"one_off_usd/{road.name}": road.one_off_usd,
            f"monthly_usd/{road.name}": road.monthly_usd,
            f"request_usd/{road.name}": road.request_usd,
        }
    return values


def section(case: Declared, name: str, prefix: str | None = None) -> dict[str, str]:
    """A section of model.yaml as parameters; what is null has none."""
    lead = f"{name}." if prefix is None else prefix
    return {
        f"{lead}{key}": ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in case.spec.section(name).items()
        if value is not None
    }
