"""The mission's five questions, answered with what was measured."""

from __future__ import annotations

from typing import Literal

from tailtune.core.reports import Question
from tailtune.judge.decide import NO_ENDPOINT, Evidence, Outcome, fast_enough, last_doubling_gain, needed, pct
from tailtune.spec.model import TargetsSpec

CONTEXT = ("zero_shot", "prototypes", "retrieval", "template")
"""Local rungs that put more before a model: descriptions, examples, neighbours. Nothing is fitted."""


def questions(evidence: Evidence, outcome: Outcome, targets: TargetsSpec) -> tuple[Question, ...]:
    """The mission's five questions with what was measured for each."""
    best = outcome.best
    gain = last_doubling_gain(evidence.curve)
    climbing = (
        "no learning curve"
        if gain is None
        else f"the last doubling of labels gained the probe {gain * 100:+.1f} points"
    )
    fast = [rung.title for rung in evidence.rungs if fast_enough(rung, targets)]
    if targets.p99_ms is None:
        latency = Question(question="Is latency critical?", answer="no", evidence="no targets.p99_ms is declared")
    else:
        latency = Question(
            question="Is latency critical?",
            answer="yes",
            evidence=f"target p99 {targets.p99_ms:g} ms: {len(fast)} of {len(evidence.rungs)} rungs meet it locally; "
            f"{best.title} takes {best.latency.p99_ms:.1f} ms; network time of an endpoint was not measured",
        )
    return (
        _context(evidence, outcome, targets),
        Question(
            question=f"Are there {targets.min_train_rows:,}+ good labels?",
            answer="yes" if evidence.train_rows >= targets.min_train_rows else "no",
            evidence=f"{evidence.train_rows:,} train rows after curation; {climbing}",
        ),
        latency,
        Question(
            question="Is the format narrow, and does constrained decoding already fix it?",
            answer="yes",
            evidence=evidence.narrow,
        ),
        Question(
            question="Must behaviour change monthly or more often?",
            answer="unmeasured",
            evidence="no cadence is declared and no history was read",
        ),
    )


def _context(evidence: Evidence, outcome: Outcome, targets: TargetsSpec) -> Question:
    """Yes when a rung that only reads context stays; a fitted rung that stays is no proof of context."""
    stays = outcome.verdict == "stay"
    answer: Literal["yes", "no", "unmeasured"] = "no"
    if stays and outcome.best.name in CONTEXT:
        answer = "yes"
    elif not stays and NO_ENDPOINT in evidence.unmeasured:
        answer = "unmeasured"
    local = [rung for rung in evidence.rungs if rung.name in CONTEXT]
    best = max(local, key=lambda rung: rung.quality.value, default=None)
    measured = None if best is None else f"best local context rung: {best.title} {pct(best.quality)}"
    told = [measured or "no local context rung was measured", f"{needed(targets) * 100:.1f} % is needed to stay"]
    if stays and answer == "no":
        told.append(f"{outcome.best.title}, fitted to labels, stays")
    if NO_ENDPOINT in evidence.unmeasured:
        told.append("prompted models were not measured")
    return Question(question="Can more context solve it?", answer=answer, evidence="; ".join(told))
