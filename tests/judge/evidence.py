"""Rungs, prices and evidence in a line each, for tests of the gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from tailtune.core.encoders import Reading
from tailtune.core.label_noise import LabelNoise
from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CandidateResult, CurvePoint, Paired, PromptedRung, RungResult
from tailtune.judge.constraints import Targets
from tailtune.judge.counted import Counted, Places
from tailtune.judge.economics import Cadence, CostInputs
from tailtune.judge.evidence import Evidence
from tailtune.judge.scores import Score, compare


def around(value: float, low: float | None = None, rows: int = 1000) -> Estimate:
    """± 1 point, unless the low end is given."""
    return Estimate(value=value, low=value - 0.01 if low is None else low, high=min(1, value + 0.01), rows=rows)


def took(p99_ms: float, **parts: float) -> Latency:
    return Latency(p50_ms=1, p95_ms=2, p99_ms=p99_ms, mean_ms=sum(parts.values()) or 1, rows=200, parts=parts)


def rung(
    name: str, value: float, low: float | None = None, p99_ms: float = 5.0, fit_rows: int = 0, invalid_rows: int = 0
) -> RungResult:
    """A measured local rung."""
    accuracy = around(value, low)
    return RungResult(
        name=name, title=name.title(), metrics={"accuracy": accuracy, "macro_f1": accuracy}, latency=took(p99_ms),
        usd_per_1000=0.00001, fit_s=0, fit_rows=fit_rows, invalid_rows=invalid_rows,
    )  # fmt: skip


def prompted(
    value: float, usd_per_1000: float | None = 0.5, low: float | None = None, p99_ms: float = 800.0, **changes: Any
) -> PromptedRung:
    """A measured prompt whose tokens vary by ± 2 %."""
    accuracy = around(value, low)
    known: dict[str, Any] = {
        "name": "lm_retrieval", "title": "Retrieval prompt", "metrics": {"accuracy": accuracy, "macro_f1": accuracy},
        "latency": took(p99_ms, connect=2.0, tls=8.0, wait=290.0, server=200.0, body=10.0),
        "usd_per_1000": usd_per_1000, "fit_s": 0, "fit_rows": 8000, "model": "small", "role": "base",
        "prompt": "retrieval", "prompt_digest": "0" * 12, "settled": "all rows", "of_rows": 1000,
        "usd_low": None if usd_per_1000 is None else usd_per_1000 * 0.98,
        "usd_high": None if usd_per_1000 is None else usd_per_1000 * 1.02,
    }  # fmt: skip
    return PromptedRung(**(known | changes))


def curve(*points: tuple[int, float]) -> tuple[CurvePoint, ...]:
    """A learning curve of (rows, accuracy)."""
    return tuple(
        CurvePoint(rows=rows, quality=Estimate(value=value, low=value, high=value, rows=100)) for rows, value in points
    )


def cost_inputs(
    per_day: float = 10_000, error_usd: float | None = 0.02, cadence_days: float | None = 90, **changes: Any
) -> CostInputs:
    """A declared volume, and prices for everything; a year."""
    known: dict[str, Any] = {
        "requests_per_day": per_day, "error_usd": error_usd, "horizon_months": 12, "cadence_days": cadence_days,
        "train_rows": 8000, "train_usd": 0.02, "prompt_hours_per_change": 1.0, "retrain_hours_per_change": 2.0,
        "new_labels_per_change": 100, "core_hour_usd": 0.04, "serving_cores": 2, "person_hour_usd": 75.0,
        "label_usd": 0.08, "storage_gb_month_usd": 0.023,
    }  # fmt: skip
    return CostInputs(**(known | changes))


def product_targets(accuracy: float = 0.95, **changes: Any) -> Targets:
    """An accuracy to be reached, and otherwise what a use case has that declares nothing else."""
    known: dict[str, Any] = {"min_effect": 0.005, "head_room": 1.5, "min_train_rows": 5000}
    return Targets(metric="accuracy", quality=accuracy, **(known | changes))


def evidence(
    *rungs: RungResult,
    train_rows: int = 8000,
    gain: float = 0.0,
    usd: float | None = 0.02,
    unmeasured: Sequence[str] = (),
    worth: CostInputs | None = None,
    cadence: Cadence | None = None,
    line: RungResult | None = None,
    reading: Reading | None = None,
) -> Evidence:
    """Evidence whose learning curve gained `gain` with its last doubling."""
    points = curve((train_rows // 2, 0.8), (train_rows, 0.8 + gain))
    return Evidence(
        rungs=rungs,
        curve=points,
        train_rows=train_rows,
        estimated_usd=usd,
        unmeasured=tuple(unmeasured),
        inputs=worth,
        cadence=cadence or Cadence(90, None),
        reading=reading,
        line=line,
    )


def noise(wrong: float, low: float, high: float, suspect: int = 50) -> LabelNoise:
    """Labels of 1,000 rows, of which so many are wrong."""
    share = Estimate(value=wrong, low=low, high=high, rows=1000)
    return LabelNoise(split="dev", rows=1000, suspect_rows=suspect, wrong=share)


def candidate(
    name: str, value: float, p99_ms: float = 5.0, usd_per_1000: float | None = None, invalid_rows: int = 0
) -> CandidateResult:
    """A candidate on 3,000 test rows."""
    return CandidateResult(
        name=name, title="LoRA fine-tune" if name == "lora" else name.title(),
        metrics={"accuracy": around(value, rows=3000)}, ece=0.1, latency=took(p99_ms), usd_per_1000=usd_per_1000,
        invalid_rows=invalid_rows,
    )  # fmt: skip


def against(only_first: int, only_second: int, rows: int = 3000, half: float = 0.005) -> Paired:
    """A comparison from the rows that one side alone got right; the interval is ± `half`."""
    gap = (only_first - only_second) / rows
    return Paired(
        first="lora", second="probe", difference=Estimate(value=gap, low=gap - half, high=gap + half, rows=rows),
        only_first_right=only_first, only_second_right=only_second, p=mcnemar(only_first, only_second),
    )  # fmt: skip


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of the rows that one alone has right."""
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue) if only_first + only_second else 1.0


def paired(
    first: NDArray[np.bool_], second: NDArray[np.bool_], names: tuple[str, str], groups: Places | None = None
) -> Paired:
    """Two predictors compared, from whether each was right on each row."""
    return compare(scored(first, groups), scored(second, groups), names)


def scored(right: NDArray[np.bool_], groups: Places | None = None) -> Score:
    """A score of rows that are right or not."""
    return Score(right, {"accuracy": Counted.shares(right)}, groups, 0.0, 0)
