"""The retrieval prompt meets the target: stay."""

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

from .. import economics, exports, fixtures
from ..basics import NAN, TIMED, cost, estimate, latency, paired, prompted, reports
from .common import EXAMPLES, RETRIEVAL, acc, failures, priced_ladder, questions, report


def stay_prompt() -> PromptReport:
    zero = prompted("lm_zero_shot", acc(0.815), 200, 1000, 0.096, 610.0, "falls short", invalid={"two labels": 3})
    few = prompted(
        "lm_few_shot",
        acc(0.872),
        250,
        1000,
        0.21,
        655.0,
        "falls short",
        paired("lm_few_shot", "probe", -0.04, 0.02, 250),
    )
    steps = prompted(
        "lm_chain_of_thought",
        acc(0.88),
        250,
        1000,
        0.92,
        2900.0,
        "falls short",
        paired("lm_chain_of_thought", "probe", -0.03, 0.022, 250),
        {"no answer line": 6},
    )
    near = prompted(
        "lm_retrieval", acc(0.952), 450, 1000, 0.31, 702.0, "stays", paired("lm_retrieval", "probe", 0.036, 0.02, 450)
    )
    return report(
        (zero, few, steps, near),
        "lm_retrieval",
        not_needed=dict.fromkeys(("lm_constrained", "lm_strong"), f"{RETRIEVAL} meets the target without it"),
    )


def stay_diagnose() -> DiagnoseReport:
    shared = failures(
        (
            (
                "context",
                "retrieval missed",
                11,
                "label rows like these (`data export: slow`) and add them to data/support-tickets/, or raise "
                "prompt.shots in models/support-tickets/model.yaml: no retrieved example showed what was expected",
            ),
            (
                "label",
                "label suspect",
                6,
                "Read the rows in build/support-tickets/diagnose/failures.jsonl and correct them.",
            ),
            ("model", "model too weak", 3, "Route these to large-1, or label more of them."),
            ("unexplained", "unexplained", 2, "Read them."),
        ),
        (EXAMPLES[1], EXAMPLES[3], EXAMPLES[0], EXAMPLES[2]),
    )
    pairs = (
        MixedUp(first="data export: error", second="data export: slow", rows=5),
        MixedUp(first="account: error", second="access: error", rows=3),
    )
    return fixtures.diagnose().model_copy(
        update={
            **shared,
            "rung": "lm_retrieval",
            "strong_model": "large-1",
            "rows": 450,
            "mixed_up": pairs,
            "usd_spent": 0.05,
            "cost": cost(6.0, bought=0.05),
        }
    )


WHY_PROMPT = f"{RETRIEVAL} answers 95.2 % right: at or above 93.3 %, the target 90.0 % with head-room 1.5"


def stay() -> dict[str, Report]:
    """The retrieval prompt meets the target; nothing is trained."""
    volume = 1500.0
    candidates = (
        economics.prompting(RETRIEVAL, 0.952, 0.31, volume, 0.02),
        economics.tuned(0.955, 8123, volume, 0.02),
    )
    money = economics.compared(candidates, volume, 0.02, 420.0)
    change = (
        "at 16,000 requests a day a fine-tune would cost less; you have 1,500",
        "a target accuracy of 94.1 % or more: no prompt would leave head-room",
    )
    decided = fixtures.decide().model_copy(
        update={
            "verdict": "stay",
            "provisional": False,
            "unmeasured": (),
            "target": 0.90,
            "best_rung": "lm_retrieval",
            "reason": WHY_PROMPT,
            "train": Decision(yes=False, reason=WHY_PROMPT),
            "would_change": change,
            "economics": money,
            "questions": questions(
                ("yes", f"{RETRIEVAL} answers 95.2 % right; 93.3 % is needed to stay", {"retrieval_hit_share": 0.94}),
                (
                    "yes",
                    "8,123 train rows after curation; the last doubling gained +2.2 points",
                    {"train_rows": 8123.0},
                ),
            ),
        }
    )
    tested = CandidateResult(
        name="lm_retrieval",
        title=RETRIEVAL,
        metrics={"accuracy": estimate(0.948, 1665), "macro_f1": estimate(0.939, 1665)},
        ece=NAN,
        latency=latency(709.0, TIMED),
        usd_per_1000=0.31,
        invalid_rows=4,
    )
    found = fixtures.evaluate_stay()
    final = FinalVerdict(
        verdict="stay",
        reason=f"nothing was trained; {RETRIEVAL} answers 94.8 % of the test rows right, over the target of 90.0 %",
        provisional=False,
        would_change=change,
        economics=money,
    )
    evaluated = found.model_copy(
        update={
            "candidates": (*found.candidates, tested),
            "winner": "lm_retrieval",
            "winner_reason": "the best rung; nothing was trained",
            "final": final,
            "usd_spent": 0.52,
            "cost": cost(22.0, bought=0.52),
        }
    )
    model = exports.exported("lm_retrieval", RETRIEVAL)
    exported = fixtures.export().model_copy(update={"models": (model,)})
    kept = fixtures.register().model_copy(update={"winner": "lm_retrieval"})
    return {
        **fixtures.stay(),
        **reports(priced_ladder(), stay_prompt(), stay_diagnose(), decided, exported, evaluated, kept),
    }
