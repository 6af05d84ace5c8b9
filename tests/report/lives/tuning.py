"""A dear prompt comes near, a fine-tune is better and cheaper."""

from __future__ import annotations

from tailtune.core.records import Decision
from tailtune.core.reports import (
    CandidateResult,
    DiagnoseReport,
    FinalVerdict,
    MixedUp,
    PromptReport,
    Report,
)

from .. import economics, fixtures
from ..basics import NAN, cost, estimate, latency, paired, prompted, reports
from .common import EXAMPLES, STRONG, UNTOLD, acc, failures, priced_ladder, questions, report


def tune_prompt() -> PromptReport:
    retrieval = prompted(
        "lm_retrieval",
        acc(0.91),
        1000,
        1000,
        0.42,
        640.0,
        "all rows",
        paired("lm_retrieval", "probe", -0.003, 0.018, 1000),
        parts=UNTOLD,
    )
    strong = prompted(
        "lm_strong",
        acc(0.931),
        1000,
        1000,
        7.1,
        1480.0,
        "all rows",
        paired("lm_strong", "probe", 0.018, 0.017, 1000),
        model="large-1",
        prompt="retrieval",
        parts=UNTOLD,
    )
    return report(
        (
            prompted(
                "lm_zero_shot", acc(0.78), 150, 1000, 0.11, 560.0, "falls short", invalid={"no label": 2}, parts=UNTOLD
            ),
            prompted("lm_few_shot", acc(0.842), 200, 1000, 0.25, 590.0, "falls short", parts=UNTOLD),
            prompted("lm_chain_of_thought", acc(0.851), 200, 1000, 1.12, 2700.0, "falls short", parts=UNTOLD),
            retrieval,
            prompted(
                "lm_constrained",
                acc(0.912),
                1000,
                1000,
                0.42,
                655.0,
                "all rows",
                paired("lm_constrained", "lm_retrieval", 0.002, 0.006, 1000),
                prompt="retrieval",
                notes=("the endpoint refused response_format json_schema and was asked for json_object instead",),
                parts=UNTOLD,
            ),
            strong,
        ),
        "lm_strong",
        notes=("3 examples were left out of 14 prompts, so that they fit 8,192 tokens",),
    )


def tune_diagnose() -> DiagnoseReport:
    shared = failures(
        (
            (
                "context",
                "ambiguous instructions",
                31,
                "say in models/support-tickets/labels.yaml what tells `billing: refund` (models/support-tickets/"
                "labels.yaml:12) from `subscription: cancel`: both models err alike",
            ),
            ("model", "model too weak", 22, "No stronger model is declared: a fine-tune is the next step."),
            (
                "label",
                "label suspect",
                16,
                "Read the rows in build/support-tickets/diagnose/failures.jsonl and correct them.",
            ),
        ),
        EXAMPLES,
    )
    return fixtures.diagnose().model_copy(
        update={
            **shared,
            "rung": "lm_strong",
            "strong_model": "large-1",
            "rows": 1000,
            "mixed_up": (MixedUp(first="billing: refund", second="subscription: cancel", rows=14),),
            "cost": cost(0.9),
        }
    )


def tune() -> dict[str, Report]:
    """The stronger model comes near at a high price; the fine-tune is better and far cheaper."""
    volume = 6000.0
    candidates = (
        economics.prompting(STRONG, 0.925, 7.1, volume, 0.02),
        economics.tuned(0.943, 8123, volume, 0.02),
    )
    money = economics.compared(candidates, volume, 0.02, 2100.0)
    why = f"{STRONG} answers 93.1 % right, short of 95.3 % (target 93.0 % with head-room); a fine-tune can pay"
    change = (
        "at fewer than 500 requests a day the prompt costs less; you have 6,000",
        "a price of large-1 of $0.60 per 1,000 requests instead of $7.10",
    )
    decided = fixtures.decide().model_copy(
        update={
            "provisional": False,
            "unmeasured": (),
            "target": 0.93,
            "best_rung": "lm_strong",
            "reason": why,
            "train": Decision(yes=True, reason=why),
            "would_change": change,
            "economics": money,
            "questions": questions(
                ("no", f"{STRONG} answers 93.1 % right; 95.3 % is needed to stay", {"retrieval_hit_share": 0.91}),
                (
                    "yes",
                    "8,123 train rows after curation; the last doubling gained +2.2 points",
                    {"train_rows": 8123.0},
                ),
            ),
        }
    )
    made = fixtures.export()
    exported = made.model_copy(update={"models": made.models[:1], "as_they_are": (STRONG,)})
    found = fixtures.evaluate()
    strong = CandidateResult(
        name="lm_strong",
        title=STRONG,
        metrics={"accuracy": estimate(0.925, 1665), "macro_f1": estimate(0.915, 1665)},
        ece=NAN,
        latency=latency(1490.0, UNTOLD),
        usd_per_1000=7.1,
    )
    pair = paired("lora", "lm_strong", 0.018, 0.012, 1665)
    reason = "the fine-tune beats the best prompt by +1.8 points (+0.6 to +3.0) and costs less to own"
    evaluated = found.model_copy(
        update={
            "candidates": (*found.candidates, strong),
            "comparison": pair,
            "winner_reason": reason,
            "final": FinalVerdict(
                verdict="fine-tune", reason=reason, provisional=False, would_change=change, economics=money
            ),
            "usd_spent": 11.82,
            "cost": cost(33.0, bought=11.82),
        }
    )
    return {
        **fixtures.whole(),
        **reports(priced_ladder(), tune_prompt(), tune_diagnose(), decided, exported, evaluated),
    }
