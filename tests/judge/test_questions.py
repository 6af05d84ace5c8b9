"""The mission's five questions are answered with what was measured."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from judge.evidence import cost_inputs, curve, evidence, product_targets, prompted, rung, took
from tailtune.core.reports import DiagnoseReport, FailureClass, Question
from tailtune.judge.constraints import Targets
from tailtune.judge.economics import Cadence
from tailtune.judge.evidence import Evidence
from tailtune.judge.questions import CONTEXT, questions
from tailtune.judge.shares import share_of
from tailtune.judge.verdict import verdict
from tailtune.tasks.saved import RUNG_KINDS

STRICT = product_targets(0.94)
NO_MODEL = "prompted models"


def ask(shown: Evidence, targets: Targets) -> dict[str, Question]:
    found = questions(shown, verdict(shown, targets, 5.0), targets)
    return dict(zip(("context", "labels", "latency", "format", "cadence"), found, strict=True))


@pytest.mark.parametrize("name", CONTEXT)
def test_context_solves_it_when_a_rung_that_fits_nothing_stays(name: str) -> None:
    found = ask(evidence(rung(name, 0.99), rung("probe", 0.995), unmeasured=[NO_MODEL]), STRICT)["context"]
    assert found.answer == "yes"
    assert found.evidence == (
        f"best local context rung: {name.title()} 99.0 % (98.0–100.0); 96.0 % is needed to stay; "
        "not measured: prompted models"
    )


@pytest.mark.parametrize("name", ["majority", "tfidf", "probe"])
def test_a_fitted_rung_that_stays_proves_nothing_about_context(name: str) -> None:
    found = ask(evidence(rung("retrieval", 0.9), rung(name, 0.99), unmeasured=[NO_MODEL]), STRICT)["context"]
    assert found.answer == "unmeasured"
    assert f"; {name.title()}, fitted to labels, stays; not measured: prompted models" in found.evidence
    unneeded = ask(evidence(rung("retrieval", 0.9), rung(name, 0.99)), STRICT)["context"]
    assert unneeded.answer == "unmeasured"
    assert "; no language model was prompted; 96.0 % is needed to stay" in unneeded.evidence
    in_vain = ask(evidence(rung(name, 0.99), prompted(0.93)), STRICT)["context"]
    assert in_vain.answer == "no"
    assert in_vain.evidence.endswith(f"{name.title()}, fitted to labels, stays")


def test_context_that_does_it_is_a_yes_although_another_road_is_taken() -> None:
    dear = evidence(rung("probe", 0.9), prompted(0.97, usd_per_1000=50.0), worth=cost_inputs(100_000))
    assert verdict(dear, STRICT, 5.0).verdict == "fine-tune"
    assert ask(dear, STRICT)["context"].answer == "yes"
    fitted = evidence(rung("probe", 0.99), rung("retrieval", 0.99), unmeasured=[NO_MODEL])
    assert ask(fitted, STRICT)["context"].answer == "yes"
    slow = ask(evidence(rung("probe", 0.9), prompted(0.99)), replace(STRICT, p99_ms=100.0))
    assert slow["context"].answer == "no", "it cannot be served"


def test_while_nothing_stays_prompted_models_could_still_solve_it() -> None:
    rungs = rung("prototypes", 0.8), rung("retrieval", 0.9), rung("probe", 0.95)
    open_ = ask(evidence(*rungs, unmeasured=[NO_MODEL]), STRICT)["context"]
    assert (open_.answer, open_.evidence) == (
        "unmeasured",
        "best local context rung: Retrieval 90.0 % (89.0–91.0); 96.0 % is needed to stay; "
        "not measured: prompted models",
    )
    known = ask(evidence(*rungs, prompted(0.8)), STRICT)["context"]
    assert known.answer == "no"
    assert "not measured" not in known.evidence


def test_without_a_local_context_rung_none_is_named() -> None:
    found = ask(evidence(rung("probe", 0.9)), STRICT)["context"]
    assert found.evidence == (
        "no local context rung was measured; no language model was prompted; 96.0 % is needed to stay"
    )


def test_the_context_rungs_are_rungs() -> None:
    assert CONTEXT
    assert set(CONTEXT) < set(RUNG_KINDS)


@pytest.mark.parametrize(("rows", "answer"), [(4999, "no"), (5000, "yes")])
def test_labels_are_counted_against_the_spec(rows: int, answer: str) -> None:
    targets = product_targets(min_train_rows=5000)
    found = ask(evidence(rung("probe", 0.9), train_rows=rows, gain=0.012), targets)["labels"]
    assert (found.question, found.answer) == ("Are there 5,000+ good labels?", answer)
    assert (
        found.evidence
        == f"{rows:,} train rows after curation; the last doubling of labels gained the probe +1.2 points"
    )


def test_without_a_curve_nothing_is_claimed_of_it() -> None:
    shown = Evidence(
        rungs=[rung("probe", 0.9)], curve=curve((100, 0.5)), train_rows=100, estimated_usd=None, unmeasured=()
    )
    assert ask(shown, product_targets())["labels"].evidence == "100 train rows after curation; no learning curve"


def test_latency_counts_the_rungs_that_meet_the_target() -> None:
    shown = evidence(rung("tfidf", 0.8, p99_ms=1), rung("probe", 0.9, p99_ms=9))
    no = ask(shown, product_targets())["latency"]
    assert (no.answer, no.evidence) == (
        "no",
        "no targets.p99_ms is declared; "
        "no prompt was timed, so whether a model would be the slow part was not measured",
    )
    open_ = ask(shown, product_targets(p99_ms=5))["latency"]
    assert open_.answer == "unmeasured", "a target alone does not say what is slow"
    assert open_.evidence.startswith("target p99 5 ms: 1 of 2 rungs meet it; Tfidf takes 1.0 ms")
    assert (open_.figures["target_p99_ms"], open_.figures["best_rung_p99_ms"]) == (5, 1)


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ({"connect": 2.0, "wait": 290.0, "server": 200.0, "body": 10.0}, "yes"),
        ({"connect": 200.0, "wait": 290.0, "server": 200.0, "body": 10.0}, "no"),
        ({"connect": 2.0, "wait": 290.0, "body": 10.0}, "unmeasured"),
        ({"connect": 250.0, "wait": 290.0, "body": 50.0}, "no"),
        ({"tokenise": 1.0, "infer": 400.0, "decode": 2.0}, "yes"),
        ({"tokenise": 300.0, "infer": 100.0, "decode": 2.0}, "no"),
        ({}, "unmeasured"),
    ],
)
def test_where_latency_is_critical_the_answer_is_what_was_timed(parts: dict[str, float], answer: str) -> None:
    shown = evidence(rung("probe", 0.9), prompted(0.95, latency=took(800, **parts)))
    assert ask(shown, product_targets(p99_ms=900))["latency"].answer == answer
    assert ask(shown, product_targets())["latency"].answer == "no", "nobody asks for it to be fast"


def test_it_says_whether_the_network_is_slow_and_what_a_local_model_saves() -> None:
    """connect 2, tls 8, wait 290 of which the server's 200, body 10: 110 ms of network."""
    found = ask(evidence(rung("probe", 0.9), prompted(0.95)), product_targets(p99_ms=900))["latency"]
    assert "takes 510 ms on average: network 110 ms, model 200 ms, so the model is the slow part" in found.evidence
    assert found.evidence.endswith("a local model (Probe) would save 509 ms of that")
    assert found.figures["network_ms"] == 110
    assert found.figures["model_ms"] == 200
    assert found.figures["saved_by_local_ms"] == 509


def test_where_the_server_does_not_tell_nobody_guesses() -> None:
    silent = prompted(0.95, latency=took(800, connect=2.0, tls=8.0, wait=290.0, body=10.0))
    found = ask(evidence(rung("probe", 0.9), silent), product_targets())["latency"]
    assert "20 ms of connecting and transfer, 290 ms of waiting, of which the server does not tell" in found.evidence
    assert "model_ms" not in found.figures
    assert found.figures["wait_ms"] == 290


def test_a_prompt_that_stays_is_context() -> None:
    found = ask(evidence(rung("probe", 0.9), prompted(0.99)), STRICT)["context"]
    assert found.answer == "yes"
    assert "best prompt: Retrieval prompt (small) 99.0 % (98.0–100.0)" in found.evidence
    assert found.figures == {"needed_share": pytest.approx(0.96), "target_share": 0.94, "best_prompt_share": 0.99}


def test_what_the_diagnosis_found_is_evidence() -> None:
    classes = [
        FailureClass(fault=fault, reason=reason, rows=rows, share=share_of(rows, 40), action="do")  # type: ignore[arg-type]
        for fault, reason, rows in (
            ("model", "model too weak", 20),
            ("context", "retrieval missed", 12),
            ("context", "no example", 8),
        )
    ]
    diagnosis = DiagnoseReport(
        use_case="toy", stage="diagnose", rung="x", rows=500, failures=40, classes=tuple(classes)
    )
    shown = replace(evidence(rung("probe", 0.9), prompted(0.92)), diagnosis=diagnosis)
    found = ask(shown, STRICT)["context"]
    assert "of 40 failures of the best prompt 20 are the context's fault; retrieval missed the evidence in 12" in (
        found.evidence
    )
    assert found.figures["failures_by_context_rows"] == 20
    assert found.figures["retrieval_missed_rows"] == 12


def test_without_a_prompt_nobody_knows_what_constrained_decoding_fixes() -> None:
    found = ask(replace(evidence(rung("probe", 0.9)), narrow="a closed set"), STRICT)["format"]
    assert (found.answer, found.figures) == ("unmeasured", {})
    assert found.evidence.startswith("a closed set; no language model was prompted")


def test_where_every_answer_is_usable_there_is_nothing_to_fix() -> None:
    assert ask(evidence(rung("probe", 0.9), prompted(0.9)), STRICT)["format"].answer == "yes"


def test_constrained_decoding_is_compared_with_its_own_prompt() -> None:
    free = prompted(0.9, invalid_rows=60)
    other = prompted(0.95, name="lm_strong", model="large", invalid_rows=1)
    with_schema = prompted(0.93, name="lm_constrained", constrained=True)
    found = ask(evidence(rung("probe", 0.9), free, with_schema, other), STRICT)["format"]
    assert found.answer == "yes"
    assert (
        "without constrained decoding 94.0 % (92.3–95.4) of small's answers are usable, right 90.0 %" in found.evidence
    )
    assert "with it 100.0 % (99.6–100.0) of small's answers are usable, right 93.0 %" in found.evidence
    assert found.figures == {
        "free_usable_share": 0.94, "free_right_share": 0.9, "constrained_usable_share": 1,
        "constrained_right_share": 0.93,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("invalid", "validity", "answer"),
    [(None, None, "unmeasured"), (5, None, "no"), (5, 0.99, "yes"), (None, 0.9, "yes")],
)
def test_constrained_decoding_may_not_fix_it(invalid: int | None, validity: float | None, answer: str) -> None:
    rungs = [prompted(0.9, invalid_rows=60)]
    rungs += [] if invalid is None else [prompted(0.93, name="lm_constrained", constrained=True, invalid_rows=invalid)]
    targets = replace(STRICT, validity=validity)
    assert ask(evidence(rung("probe", 0.9), *rungs), targets)["format"].answer == answer


@pytest.mark.parametrize(("refused_invalid", "free_invalid", "answer"), [(0, 60, "unmeasured"), (60, 0, "yes")])
def test_a_server_that_refuses_the_schema_leaves_constrained_decoding_unmeasured(
    refused_invalid: int, free_invalid: int, answer: str
) -> None:
    """Whatever its answers were like: they were not held. A prompt whose answers are all usable needs none."""
    free = prompted(0.9, invalid_rows=free_invalid)
    refused = prompted(0.95, name="lm_constrained", forms={"json_object": 999, "json_schema": 1},
                       invalid_rows=refused_invalid)  # fmt: skip
    found = ask(evidence(rung("probe", 0.9), free, refused), STRICT)["format"]
    assert found.answer == answer
    could_not = "constrained decoding could not be had of small: 999 of 1,000 answers were not held to the schema"
    assert (could_not in found.evidence) == (answer == "unmeasured")
    assert found.figures == {"free_usable_share": 1 - free_invalid / 1000, "free_right_share": 0.9}


def test_answers_that_could_not_be_had_are_no_matter_of_format() -> None:
    free = prompted(0.9, invalid_rows=5, invalid={"refused": 3, "too long": 2})
    assert ask(evidence(rung("probe", 0.9), free), STRICT)["format"].answer == "yes"
    broken = prompted(0.9, invalid_rows=6, invalid={"refused": 3, "too long": 2, "no JSON": 1})
    assert ask(evidence(rung("probe", 0.9), broken), STRICT)["format"].answer == "unmeasured"
    valid = replace(STRICT, validity=0.995)
    refused = prompted(0.9, invalid_rows=30, invalid={"refused": 30})
    assert ask(evidence(rung("probe", 0.9), refused), valid)["format"].answer == "yes"
    assert ask(evidence(rung("probe", 0.9), broken), valid)["format"].answer == "yes", "1 of 995 may miss"


@pytest.mark.parametrize(
    ("cadence", "answer"),
    [(Cadence(), "unmeasured"), (Cadence(14), "yes"), (Cadence(90, 7), "no"), (Cadence(None, 7), "yes")],
)
def test_cadence_declared_and_seen(cadence: Cadence, answer: str) -> None:
    found = ask(evidence(rung("probe", 0.9), cadence=cadence), STRICT)["cadence"]
    assert found.answer == answer
    assert ("speaks against a fine-tune" in found.evidence) == (answer == "yes")
    assert ("once it is declared" in found.evidence) == (answer == "yes" and cadence.declared_days is None)
    known = {"declared_days": cadence.declared_days, "seen_days": cadence.seen_days}
    assert found.figures == {name: days for name, days in known.items() if days is not None}


def test_every_figure_has_a_unit() -> None:
    shown = evidence(rung("probe", 0.9), prompted(0.95, invalid_rows=3), cadence=Cadence(90, 60))
    found = ask(shown, product_targets(p99_ms=5))
    names = [name for question in found.values() for name in question.figures]
    assert len(names) > 10
    assert all(name.endswith(("_ms", "_share", "_rows", "_days", "_points")) for name in names), names


def test_where_a_model_answered_nothing_its_format_was_not_measured() -> None:
    silent = prompted(0.0, constrained=True, invalid_rows=1000, invalid={"refused": 990, "too long": 10})
    found = ask(evidence(rung("probe", 0.9), silent), STRICT)["format"]
    assert found.answer == "unmeasured"
    assert found.evidence.endswith("small answered nothing: all texts were refused or too long")


def test_a_rung_that_was_not_timed_does_not_count_as_fast() -> None:
    untimed = rung("probe", 0.9, p99_ms=nan)
    found = ask(evidence(rung("tfidf", 0.95, p99_ms=1), untimed), product_targets(p99_ms=5))["latency"]
    assert found.evidence.startswith("target p99 5 ms: 1 of 1 timed rungs meet it; Tfidf takes 1.0 ms")


def test_a_server_that_counts_more_than_the_wait_leaves_no_time_below_zero() -> None:
    busy = prompted(0.95, latency=took(800, connect=2.0, wait=290.0, server=320.0))
    found = ask(evidence(rung("probe", 0.9), busy), product_targets(p99_ms=900))["latency"]
    assert found.figures["network_ms"] == 2.0 and "network 2 ms, model 320 ms" in found.evidence
