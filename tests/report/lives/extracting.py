"""An extraction whose prompt breaks the schema until decoding is held to it."""

from __future__ import annotations

from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import (
    CandidateResult,
    FailureExample,
    FinalVerdict,
    MixedUp,
    Question,
    Report,
)

from .. import claims, economics
from ..basics import NAN, TIMED, cost, estimate, latency, paired, prompted, reports
from .common import CONSTRAINED, failures, report


def _whole(f1: float, whole: float, valid: float, rows: int) -> dict[str, Estimate]:
    return {**claims.metrics(f1, whole, rows), "schema_valid": estimate(valid, rows)}


def extraction() -> dict[str, Report]:
    """A prompt that breaks the schema, constrained decoding that mends it, and a fine-tune that is better still."""
    rows = 1000
    zero = prompted(
        "lm_zero_shot", _whole(0.79, 0.08, 0.93, 150), 150, rows, 2.4, 4100.0, "falls short", invalid={"not JSON": 11}
    )
    near = prompted(
        "lm_retrieval",
        _whole(0.902, 0.21, 0.957, rows),
        rows,
        rows,
        4.9,
        4600.0,
        "all rows",
        paired("lm_retrieval", "token_probe", 0.028, 0.006, rows, "field_f1"),
        {"not JSON": 25, "an unknown field": 18},
        examples_dropped=41,
    )
    constrained = prompted(
        "lm_constrained",
        _whole(0.931, 0.34, 1.0, rows),
        rows,
        rows,
        5.0,
        4750.0,
        "all rows",
        paired("lm_constrained", "lm_retrieval", 0.029, 0.007, rows, "field_f1"),
        prompt="retrieval",
    )
    answers = claims.prompt().model_copy(
        update={
            **report((zero, near, constrained), "lm_constrained", models={"small-1": "base"}).model_dump(
                include={"models", "dev_rows", "best", "usd_spent", "usd_estimated", "rows_bought"}
                | {"rows_saved_share", "usd_saved_share"}
            ),
            "rungs": (zero, near, constrained),
            "cost": cost(310.0, bought=sum(rung.usd or 0.0 for rung in (zero, near, constrained))),
            "unmeasured": ("lm_strong: no model of role strong is declared",),
        }
    )
    text = "On 3 May a parked van was struck; the repair shop estimates 2,400 dollars, the claimant asks for 3,100."
    shown = FailureExample(
        origin="claims.jsonl:1207",
        text=text,
        expected="claimed_amount: 3100",
        answered="claimed_amount: 2400",
        detail="the value of repair_estimate",
    )
    shared = failures(
        (
            (
                "context",
                "ambiguous instructions",
                402,
                "say in models/insurance-claims/schema.json what tells `claimed_amount` from `repair_estimate`",
            ),
            ("unexplained", "unexplained", 258, "Declare a model of role strong to learn more."),
        ),
        (shown,),
    )
    pairs = (MixedUp(first="claimed_amount", second="repair_estimate", rows=210),)
    diagnosed = claims.diagnose().model_copy(
        update={**shared, "rung": "lm_constrained", "rows": rows, "mixed_up": pairs}
    )
    volume = 900.0
    candidates = (
        economics.prompting(CONSTRAINED, 0.931, 5.0, volume, 0.4),
        economics.tuned(0.974, 11204, volume, 0.4),
    )
    money = economics.compared(candidates, volume, 0.4, 900.0)
    why = f"{CONSTRAINED} reaches a field F1 of 93.1 %, short of 98.0 % (target 97.0 % with head-room)"
    context = Question(
        question="Can more context solve it?",
        answer="no",
        evidence="the best prompt reaches a field F1 of 93.1 %; 98.0 % is needed to stay",
        figures={"best_prompt_share": 0.931, "needed_share": 0.98},
    )
    narrow = Question(
        question="Is the format narrow, and does constrained decoding already fix it?",
        answer="no",
        evidence="valid answers rise from 95.7 % to 100.0 %, whole objects from 21.0 % to 34.0 %",
        figures={"lm_retrieval_usable_share": 0.957, "lm_constrained_usable_share": 1.0},
    )
    decided = claims.decide().model_copy(
        update={
            "best_rung": "lm_constrained",
            "provisional": False,
            "unmeasured": (),
            "economics": money,
            "reason": why,
            "train": Decision(yes=True, reason=why),
            "would_change": ("a target field F1 of 89.7 % or less: the prompt would do",),
            "questions": (context, *claims.decide().questions[1:2], narrow),
        }
    )
    made = claims.export()
    exported = made.model_copy(update={"models": made.models[:1], "as_they_are": (CONSTRAINED,)})
    found = claims.evaluate()
    prompt = CandidateResult(
        name="lm_constrained",
        title=CONSTRAINED,
        metrics=_whole(0.929, 0.331, 1.0, claims.TEST),
        ece=NAN,
        latency=latency(4800.0, TIMED),
        usd_per_1000=5.0,
    )
    reason = "the fine-tune beats the best prompt by +4.5 points of field F1 (+4.0 to +5.0)"
    evaluated = found.model_copy(
        update={
            "candidates": (*found.candidates, prompt),
            "comparison": paired("lora", "lm_constrained", 0.045, 0.005, claims.TEST, "field_f1"),
            "winner_reason": reason,
            "final": FinalVerdict(verdict="fine-tune", reason=reason, provisional=False, economics=money),
            "cost": cost(80.0, bought=7.56),
        }
    )
    ladder = claims.ladder().model_copy(update={"unmeasured": ()})
    return {**claims.whole(), **reports(ladder, answers, diagnosed, decided, exported, evaluated)}
