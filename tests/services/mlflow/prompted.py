"""Realistic reports of prompted models, and candidates in dollars."""

from __future__ import annotations

import math

from services.mlflow.examples import estimate
from tailtune.core.records import Cost, Estimate, Latency
from tailtune.core.reports import (
    CandidateCost,
    DiagnoseReport,
    Economics,
    FailureClass,
    FailureExample,
    FinalVerdict,
    MixedUp,
    Paired,
    PromptedRung,
    PromptReport,
)
from tailtune.tasks.use_case import UseCase

AT = "2026-11-20T10:01:30+00:00"
PARTS = {"connect": 3.0, "tls": 9.0, "wait": 180.0, "body": 20.0, "server": 140.0}


def _stamp(case: UseCase, stage: str, bought_usd: float | None) -> dict[str, object]:
    cost = Cost(wall_s=40.0, cpu_s=12.0, peak_memory_mb=300.0, usd=0.0009, bought_usd=bought_usd)
    return {
        "use_case": case.name,
        "stage": stage,
        "finished_at": AT,
        "rows_digest": "8c1f0e2d3b4a5968",
        "spec_digest": f"5pec{stage:0<12}"[:16],
        "cost": cost,
    }


def rung(name: str, title: str, value: float, **changes: object) -> PromptedRung:
    usual: dict[str, object] = {
        "name": name,
        "title": title,
        "metrics": {"accuracy": estimate(value, 0.04, 300)},
        "latency": Latency(p50_ms=205, p95_ms=280, p99_ms=390, mean_ms=212, rows=300, parts=PARTS),
        "usd_per_1000": 0.42,
        "usd_low": 0.41,
        "usd_high": 0.43,
        "invalid_rows": 4,
        "invalid": {"two labels": 3, "no JSON": 1},
        "fit_s": 0.0,
        "fit_rows": 0,
        "model": "small",
        "role": "base",
        "prompt": "zero_shot",
        "prompt_digest": "0123456789ab",
        "prompt_version": 3,
        "settled": "falls short",
        "of_rows": 1000,
        "usd": 0.126,
        "input_tokens": 812.5,
        "output_tokens": 6.1,
        "cached_rows": 100,
        "retries": 2,
    }
    return PromptedRung.model_validate(usual | changes)


def prompt(case: UseCase, bought_usd: float | None = 0.27) -> PromptReport:
    better = Paired(
        first="lm_retrieval",
        second="lm_zero_shot",
        difference=Estimate(value=0.11, low=0.07, high=0.15, rows=300),
        only_first_right=40,
        only_second_right=7,
        p=2e-6,
    )
    return PromptReport(
        **_stamp(case, "prompt", bought_usd),
        models={"small": "base"},
        dev_rows=1000,
        rungs=(
            rung("lm_zero_shot", "Zero-shot prompt", 0.78),
            rung(
                "lm_retrieval",
                "Prompt with retrieved examples",
                0.89,
                prompt="retrieval",
                prompt_version=None,
                usd_per_1000=None,
                usd=None,
                usd_low=None,
                usd_high=None,
                input_tokens=None,
                output_tokens=None,
                unpriced_rows=300,
                comparison=better,
                p_adjusted=4e-6,
                settled="better",
                notes=("the endpoint tells no usage, so its cost is not known",),
            ),
        ),
        best="lm_retrieval",
        usd_spent=bought_usd,
        usd_estimated=0.8,
        rows_bought=600,
        rows_saved_share=0.7,
        not_needed={"lm_strong": "the base model meets the target"},
    )


def nothing_prompted(case: UseCase) -> PromptReport:
    return PromptReport(**_stamp(case, "prompt", 0.0), unmeasured=("prompted language models (none is declared)",))


def diagnose(case: UseCase) -> DiagnoseReport:
    example = FailureExample(
        origin="tickets.jsonl:7", text="where is it", expected="refund_status", answered="delivery_late"
    )
    reasons = (("model", "too weak", 12), ("context", "retrieval missed", 9), ("context", "ambiguous labels", 7),
               ("label", "label suspect", 5))  # fmt: skip
    return DiagnoseReport(
        **_stamp(case, "diagnose", 0.03),
        rung="lm_retrieval",
        strong_model="large",
        rows=300,
        failures=33,
        classes=tuple(
            FailureClass(
                fault=fault,
                reason=reason,
                rows=rows,
                share=estimate(rows / 33, 0.1, 33),
                action="Add examples.",
                examples=(example,) if reason == "ambiguous labels" else (),
            )
            for fault, reason, rows in reasons
        ),
        mixed_up=(MixedUp(first="refund_status", second="delivery_late", rows=7),),
        usd_spent=0.03,
    )


def economics(never: bool = False) -> Economics:
    """A fine-tune that pays, or one whose break-even volume has no end and that has a cost nobody knows."""
    prompt_cost = CandidateCost(
        name="prompt", title="Best prompt", quality=0.89, one_off_usd=0.3, monthly_usd=75.0, request_usd=0.0004,
        total_usd=1800.0,
    )  # fmt: skip
    tuned = CandidateCost(
        name="fine-tune", title="Fine-tune", quality=0.94, one_off_usd=None if never else 700.0, monthly_usd=90.0,
        request_usd=0.0, total_usd=None if never else 1780.0,
    )  # fmt: skip
    high = math.inf if never else 9100.0
    return Economics(
        requests_per_day=6000,
        error_usd=0.5,
        horizon_months=12,
        candidates=(prompt_cost, tuned),
        net_value=Estimate(value=54_770.0, low=30_000.0, high=80_000.0, rows=1740),
        probability=0.99,
        break_even_per_day=Estimate(value=math.nan if never else 5800.0, low=4200.0, high=high, rows=1740),
    )


def final() -> FinalVerdict:
    return FinalVerdict(verdict="fine-tune", reason="It pays.", provisional=False, economics=economics())
