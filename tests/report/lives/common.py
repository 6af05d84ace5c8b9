"""What the four lives share: prompt reports that add up, failures, examples, the five questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tailtune.core.reports import FailureClass, FailureExample, Fault, PromptedRung, PromptReport, Question, Report

from .. import fixtures
from ..basics import TITLES, cost, estimate

RETRIEVAL, STRONG, CONSTRAINED = TITLES["lm_retrieval"], TITLES["lm_strong"], TITLES["lm_constrained"]
UNTOLD = {"connect": 0.02, "tls": 0.03, "wait": 0.9, "body": 0.05}


def acc(accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy, "macro_f1": accuracy - 0.011}


def report(rungs: Sequence[PromptedRung], best: str, **more: Any) -> PromptReport:
    bought = sum(rung.quality.rows for rung in rungs)
    full = sum(rung.of_rows for rung in rungs)
    spent = sum(rung.usd or 0.0 for rung in rungs)
    whole = sum((rung.usd_per_1000 or 0.0) * rung.of_rows / 1000 for rung in rungs)
    unpriced = any(rung.usd is None for rung in rungs)
    shared: dict[str, Any] = {
        "models": {"small-1": "base", "large-1": "strong"},
        "dev_rows": 1000,
        "rungs": tuple(rungs),
        "best": best,
        "usd_spent": None if unpriced else spent,
        "usd_estimated": None if unpriced else whole * 1.1,
        "rows_bought": bought,
        "rows_saved_share": 1 - bought / full,
        "usd_saved_share": None if unpriced else 1 - spent / whole,
        "cost": cost(41.0, bought=None if unpriced else spent),
    }
    return fixtures.prompt().model_copy(update={"unmeasured": (), **shared, **more})


def failures(counts: Sequence[tuple[Fault, str, int, str]], examples: Sequence[FailureExample]) -> dict[str, Any]:
    total = sum(rows for _, _, rows, _ in counts)
    classes = tuple(
        FailureClass(
            fault=fault,
            reason=reason,
            rows=rows,
            share=estimate(rows / total, total),
            action=action,
            examples=tuple(examples[place : place + 2]),
        )
        for place, (fault, reason, rows, action) in enumerate(counts)
    )
    return {"failures": total, "classes": classes}


EXAMPLES = (
    FailureExample(
        origin="tickets.jsonl:4410",
        text="I was billed for March although I cancelled in February, please give the money back.",
        expected="billing: refund",
        answered="subscription: cancel",
        strong_answered="billing: refund",
    ),
    FailureExample(
        origin="tickets.jsonl:511",
        text="export never finishes",
        expected="data export: slow",
        answered="data export: error",
        strong_answered="data export: error",
        detail="none of the 8 examples has the label",
    ),
    FailureExample(
        origin="tickets.jsonl:9120",
        text="cannot get in since the update",
        expected="account: error",
        answered=None,
        strong_answered="access: error",
        detail="named two labels",
    ),
    FailureExample(
        origin="tickets.jsonl:77",
        text="where is my parcel",
        expected="delivery: change",
        answered="delivery: question",
        strong_answered="delivery: question",
    ),
)


def questions(
    context: tuple[str, str, dict[str, float]], labels: tuple[str, str, dict[str, float]]
) -> tuple[Question, ...]:
    def question_of(question: str, answer: Any, evidence: str, figures: dict[str, float]) -> Question:
        return Question(question=question, answer=answer, evidence=evidence, figures=figures)

    return (
        question_of("Can more context solve it?", *context),
        question_of("Are there 5,000+ good labels?", *labels),
        question_of(
            "Is latency critical, and is the model the slow part?",
            "no",
            "no p99 target is declared; of 772 ms, 548 ms are the server's own work",
            {"network_ms": 224.0, "model_ms": 548.3, "local_model_would_save_ms": 766.4},
        ),
        question_of(
            "Is the format narrow, and does constrained decoding already fix it?",
            "yes",
            "one of 52 labels; 99.6 % of the answers could be used as they were",
            {"usable_share": 0.996},
        ),
        question_of(
            "Must behaviour change monthly or more often?",
            "no",
            "declared every 90 days; the prompt and label files changed every 74 days (median of 6 commits)",
            {"declared_days": 90.0, "seen_days": 74.0},
        ),
    )


def priced_ladder() -> Report:
    return fixtures.ladder().model_copy(update={"unmeasured": ()})
