"""The mission's five questions, answered with what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, TypeVar

from tailtune.core.figures import every, ms, points, share, with_interval
from tailtune.core.language import UNANSWERED
from tailtune.core.records import Latency
from tailtune.core.reports import PromptedRung, Question, RungResult
from tailtune.judge.constraints import Targets, fast_enough, last_doubling_gain, needed, quality_value, stays, validity
from tailtune.judge.economics import OFTEN_DAYS
from tailtune.judge.evidence import Evidence
from tailtune.judge.net_value import row_right
from tailtune.judge.verdict import Outcome

R = TypeVar("R", bound=RungResult)
Answer = Literal["yes", "no", "unmeasured"]
CONTEXT = ("zero_shot", "prototypes", "retrieval", "template")
"""Local rungs that put more before a model: descriptions, examples, neighbours. Nothing is fitted."""
_MISSED = "retrieval missed"  # as judge/diagnose.py calls it


def questions(evidence: Evidence, outcome: Outcome, targets: Targets) -> tuple[Question, ...]:
    """The mission's five questions with what was measured for each."""
    return (
        _context(evidence, outcome, targets),
        _labels(evidence, targets),
        _latency(evidence, outcome, targets),
        _format(evidence, targets),
        _cadence(evidence),
    )


def _context(evidence: Evidence, outcome: Outcome, targets: Targets) -> Question:
    """Yes when a rung that only reads context does what is needed; no only when prompted models fell short too.

    A fitted rung that stays proves nothing about context.
    """
    reading = [rung for rung in evidence.rungs if _reads_context(rung)]
    answer: Answer = "no"
    if any(stays(rung, targets, evidence.line, evidence.looks) for rung in reading):
        answer = "yes"
    elif evidence.unmeasured or not _prompted(evidence):
        answer = "unmeasured"
    local = _best(rung for rung in evidence.rungs if rung.name in CONTEXT)
    prompted = _best(_prompted(evidence))
    clauses = [f"best local context rung: {local.title} {with_interval(local.quality)}" if local else _NO_LOCAL]
    if prompted is not None:
        clauses.append(f"best prompt: {prompted.title} ({prompted.model}) {with_interval(prompted.quality)}")
    elif not evidence.unmeasured:
        clauses.append("no language model was prompted")
    clauses.append(f"{share(needed(targets))} is needed to stay")
    if outcome.verdict == "stay" and not _reads_context(outcome.best):
        clauses.append(f"{outcome.best.title}, fitted to labels, stays")
    figures = {"needed_share": needed(targets), "target_share": targets.quality}
    if local is not None:
        figures["best_local_context_share"] = local.quality.value
    if prompted is not None:
        figures["best_prompt_share"] = prompted.quality.value
    diagnosis = evidence.diagnosis
    if diagnosis is not None and diagnosis.failures:
        missed = sum(failure.rows for failure in diagnosis.classes if failure.reason == _MISSED)
        context = sum(failure.rows for failure in diagnosis.classes if failure.fault == "context")
        clauses.append(f"of {diagnosis.failures:,} failures of the best prompt {context:,} are the context's fault")
        figures |= {"failures_rows": diagnosis.failures, "failures_by_context_rows": context}
        if missed:
            clauses.append(f"retrieval missed the evidence in {missed:,}")
            figures["retrieval_missed_rows"] = missed
    if evidence.unmeasured:
        clauses.append(f"not measured: {', '.join(evidence.unmeasured)}")
    return Question(question="Can more context solve it?", answer=answer, evidence="; ".join(clauses), figures=figures)


def _labels(evidence: Evidence, targets: Targets) -> Question:
    gain = last_doubling_gain(evidence.curve)
    climbing = (
        "no learning curve" if gain is None else f"the last doubling of labels gained the probe {points(gain)} points"
    )
    figures = {"train_rows": float(evidence.train_rows), "wanted_rows": float(targets.min_train_rows)}
    if gain is not None:
        figures["gain_by_last_doubling_points"] = gain
    return Question(
        question=f"Are there {targets.min_train_rows:,}+ good labels?",
        answer="yes" if evidence.train_rows >= targets.min_train_rows else "no",
        evidence=f"{evidence.train_rows:,} train rows after curation; {climbing}",
        figures=figures,
    )


def _latency(evidence: Evidence, outcome: Outcome, targets: Targets) -> Question:
    """Where the time goes: the network or the model of the best prompt, and what a local rung would save.

    Yes and no are about both halves of the question: a target makes latency critical, and only a timed prompt says
    whether its model is the slow part.
    """
    best, prompted = outcome.best, _best(_prompted(evidence))
    slow: Answer = "unmeasured"
    clauses, figures = [], {"best_rung_p99_ms": best.latency.p99_ms}
    if targets.p99_ms is None:
        clauses.append("no targets.p99_ms is declared")
    else:
        timed = [rung for rung in evidence.rungs if not math.isnan(rung.latency.p99_ms)]
        fast = sum(fast_enough(rung, targets) for rung in timed)
        some = "rungs" if len(timed) == len(evidence.rungs) else "timed rungs"
        clauses.append(
            f"target p99 {targets.p99_ms:g} ms: {fast} of {len(timed)} {some} meet it; "
            f"{best.title} takes {ms(best.latency.p99_ms)}"
        )
        figures["target_p99_ms"] = targets.p99_ms
    if prompted is None or math.isnan(prompted.latency.mean_ms):
        clauses.append("no prompt was timed, so whether a model would be the slow part was not measured")
    else:
        slow, words, parts = _slow_part(prompted.latency)
        clauses.append(f"{prompted.title} takes {prompted.latency.mean_ms:,.0f} ms on average{words}")
        figures |= {"prompt_mean_ms": prompted.latency.mean_ms, **parts}
        local = _best(rung for rung in evidence.rungs if not isinstance(rung, PromptedRung))
        if local is not None and local.latency.mean_ms < prompted.latency.mean_ms:
            saved = prompted.latency.mean_ms - local.latency.mean_ms
            clauses.append(f"a local model ({local.title}) would save {saved:,.0f} ms of that")
            figures["saved_by_local_ms"] = saved
    return Question(
        question="Is latency critical, and is the model the slow part?",
        answer="no" if targets.p99_ms is None else slow,
        evidence="; ".join(clauses),
        figures=figures,
    )


def _slow_part(latency: Latency) -> tuple[Answer, str, dict[str, float]]:
    """Whether the model is the slow part, in words and figures; open where a server does not report its time."""
    parts = latency.parts
    if "wait" not in parts:  # a model in a folder: no network
        share = parts.get("infer", 0.0) / total if (total := sum(parts.values())) else math.nan
        mostly: Answer = "unmeasured" if math.isnan(share) else "yes" if share >= 0.5 else "no"
        return mostly, "", {f"{name}_ms": value for name, value in parts.items()}
    around = parts.get("connect", 0.0) + parts.get("tls", 0.0) + parts.get("body", 0.0)
    if "server" not in parts:
        words = (
            f": {around:,.0f} ms of connecting and transfer, {parts['wait']:,.0f} ms of waiting, of which the server "
        )
        slow: Answer = "no" if around > parts["wait"] else "unmeasured"
        least = {"network_at_least_ms": around} if around else {}
        return slow, f"{words}does not tell its part", least | {"wait_ms": parts["wait"]}
    network = around + max(parts["wait"] - parts["server"], 0.0)  # a server may count what clients do not wait for
    slow, name = ("no", "the network") if network > parts["server"] else ("yes", "the model")
    words = f": network {network:,.0f} ms, model {parts['server']:,.0f} ms, so {name} is the slow part"
    return slow, words, {"network_ms": network, "model_ms": parts["server"]}


def _format(evidence: Evidence, targets: Targets) -> Question:
    """Usable answers with constrained decoding and without, of the same prompt and model.

    A rung whose server refused the schema is neither: it was not constrained, and its prompt was not the free one.
    """
    question = "Is the format narrow, and does constrained decoding already fix it?"
    constrained = _best(rung for rung in _prompted(evidence) if rung.constrained)
    refused = next((rung for rung in _prompted(evidence) if rung.forms and not rung.constrained), None)
    free = _best(
        rung for rung in _prompted(evidence) if not (rung.constrained or rung.forms) and _same_prompt(rung, constrained)
    )
    clauses = [evidence.narrow] if evidence.narrow else []
    figures: dict[str, float] = {}
    with_it = "with constrained decoding" if free is None else "with it"
    for rung, how, name in ((free, "without constrained decoding", "free"), (constrained, with_it, "constrained")):
        if rung is not None:
            clauses.append(
                f"{how} {with_interval(validity(rung))} of {rung.model}'s answers are usable, "
                f"right {with_interval(row_right(rung))}"
            )
            figures |= {f"{name}_usable_share": validity(rung).value, f"{name}_right_share": row_right(rung).value}
    last = constrained or free
    answer: Answer = "yes"
    if last is None and refused is None:
        answer = "unmeasured"
        clauses.append(
            "no language model was prompted, so whether constrained decoding fixes anything was not measured"
        )
    elif last is not None and not _answered(last):
        answer = "unmeasured"
        clauses.append(f"{last.model} answered nothing: all texts were refused or too long")
    elif last is None or not _fits(last, targets):
        answer = "no" if constrained is not None else "unmeasured"
        clauses += [] if constrained is not None else [_not_constrained(refused)]
    return Question(question=question, answer=answer, evidence="; ".join(clauses), figures=figures)


def _fits(rung: PromptedRung, targets: Targets) -> bool:
    """Whether no more answers than allowed miss the format; what was refused or too long is no matter of format."""
    answered = _answered(rung)
    misshapen = rung.invalid_rows - (rung.quality.rows - answered)
    return misshapen <= (1 - (targets.validity or 1.0)) * answered + 1e-9


def _answered(rung: PromptedRung) -> int:
    """Rows that the model answered at all, usable or not."""
    return rung.quality.rows - sum(rung.invalid.get(problem, 0) for problem in UNANSWERED)


def _not_constrained(refused: PromptedRung | None) -> str:
    if refused is None:
        return "constrained decoding was not measured"
    free = sum(rows for form, rows in refused.forms.items() if form != "json_schema")
    answers = sum(refused.forms.values())
    return (
        f"constrained decoding could not be had of {refused.model}: {free:,} of {answers:,} answers were not held "
        "to the schema"
    )


def _same_prompt(rung: PromptedRung, other: PromptedRung | None) -> bool:
    return other is None or (rung.prompt_digest, rung.model) == (other.prompt_digest, other.model)


def _cadence(evidence: Evidence) -> Question:
    question, cadence = "Must behaviour change monthly or more often?", evidence.cadence
    declared = cadence.declared_days
    clauses = [
        "no cadence is declared (value.change_every_days)"
        if declared is None
        else f"a change {every(declared)} is declared",
        "the git history of prompts, answers file and data shows too little to tell"
        if cadence.seen_days is None
        else f"a change {every(cadence.seen_days)} is seen in the git history of its files",
    ]
    figures = {
        name: days for name, days in (("declared_days", declared), ("seen_days", cadence.seen_days)) if days is not None
    }
    if cadence.days is None:
        return Question(question=question, answer="unmeasured", evidence="; ".join(clauses))
    if cadence.often:
        once = "" if cadence.binding else ", once it is declared"
        clauses.append(f"every {OFTEN_DAYS:.0f} days or more often speaks against a fine-tune{once}")
    answer: Answer = "yes" if cadence.often else "no"
    return Question(question=question, answer=answer, evidence="; ".join(clauses), figures=figures)


_NO_LOCAL = "no local context rung was measured"


def _prompted(evidence: Evidence) -> list[PromptedRung]:
    return [rung for rung in evidence.rungs if isinstance(rung, PromptedRung)]


def _reads_context(rung: RungResult) -> bool:
    return rung.name in CONTEXT or isinstance(rung, PromptedRung)


def _best(rungs: Iterable[R]) -> R | None:
    return max(rungs, key=quality_value, default=None)
