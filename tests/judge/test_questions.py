"""The mission's five questions are answered with what was measured."""

from __future__ import annotations

import pytest

from judge.evidence import curve, evidence, rung
from tailtune.core.reports import Question
from tailtune.judge.decide import NO_ENDPOINT, Evidence, verdict
from tailtune.judge.questions import CONTEXT, questions
from tailtune.predictors.registry import RUNG_KINDS
from tailtune.spec.classification import ClassificationTargets
from tailtune.spec.model import TrainSpec

STRICT = ClassificationTargets(accuracy=0.94)


def ask(shown: Evidence, targets: ClassificationTargets) -> dict[str, Question]:
    found = questions(shown, verdict(shown, targets, TrainSpec()), targets)
    return dict(zip(("context", "labels", "latency", "format", "cadence"), found, strict=True))


@pytest.mark.parametrize("name", CONTEXT)
def test_context_solves_it_when_a_rung_that_fits_nothing_stays(name: str) -> None:
    found = ask(evidence(rung(name, 0.99), rung("probe", 0.995), unmeasured=[NO_ENDPOINT]), STRICT)["context"]
    assert found.answer == "yes"
    assert found.evidence == (
        f"best local context rung: {name.title()} 99.0 % (98.0–100.0); 96.0 % is needed to stay; "
        "prompted models were not measured"
    )


@pytest.mark.parametrize("name", ["majority", "tfidf", "probe"])
def test_a_fitted_rung_that_stays_is_no_proof_of_context(name: str) -> None:
    found = ask(evidence(rung("retrieval", 0.9), rung(name, 0.99), unmeasured=[NO_ENDPOINT]), STRICT)["context"]
    assert found.answer == "no"
    assert f"; {name.title()}, fitted to labels, stays; prompted models were not measured" in found.evidence


def test_while_nothing_stays_prompted_models_could_still_solve_it() -> None:
    rungs = rung("prototypes", 0.8), rung("retrieval", 0.9), rung("probe", 0.95)
    open_ = ask(evidence(*rungs, unmeasured=[NO_ENDPOINT]), STRICT)["context"]
    assert (open_.answer, open_.evidence) == (
        "unmeasured",
        "best local context rung: Retrieval 90.0 % (89.0–91.0); 96.0 % is needed to stay; "
        "prompted models were not measured",
    )
    known = ask(evidence(*rungs), STRICT)["context"]
    assert known.answer == "no"
    assert "not measured" not in known.evidence


def test_without_a_local_context_rung_none_is_named() -> None:
    found = ask(evidence(rung("probe", 0.9)), STRICT)["context"]
    assert found.evidence == "no local context rung was measured; 96.0 % is needed to stay"


def test_the_context_rungs_are_rungs() -> None:
    assert CONTEXT
    assert set(CONTEXT) < set(RUNG_KINDS)


@pytest.mark.parametrize(("rows", "answer"), [(4999, "no"), (5000, "yes")])
def test_labels_are_counted_against_the_spec(rows: int, answer: str) -> None:
    targets = ClassificationTargets(min_train_rows=5000)
    found = ask(evidence(rung("probe", 0.9), train_rows=rows, gain=0.012), targets)["labels"]
    assert (found.question, found.answer) == ("Are there 5,000+ good labels?", answer)
    assert (
        found.evidence
        == f"{rows:,} train rows after curation; the last doubling of labels gained the probe +1.2 points"
    )


def test_without_a_curve_nothing_is_claimed_of_it() -> None:
    shown = Evidence([rung("probe", 0.9)], curve((100, 0.5)), 100, None, ())
    assert ask(shown, ClassificationTargets())["labels"].evidence == "100 train rows after curation; no learning curve"


def test_latency_counts_the_rungs_that_meet_the_target() -> None:
    shown = evidence(rung("tfidf", 0.8, p99_ms=1), rung("probe", 0.9, p99_ms=9))
    no = ask(shown, ClassificationTargets())["latency"]
    assert (no.answer, no.evidence) == ("no", "no targets.p99_ms is declared")
    yes = ask(shown, ClassificationTargets(p99_ms=5))["latency"]
    assert yes.answer == "yes"
    assert yes.evidence.startswith("target p99 5 ms: 1 of 2 rungs meet it locally; Tfidf takes 1.0 ms")


def test_what_nobody_measured_is_called_unmeasured() -> None:
    found = ask(evidence(rung("probe", 0.9)), ClassificationTargets())
    assert found["cadence"].answer == "unmeasured"
    assert found["format"].answer == "yes"
