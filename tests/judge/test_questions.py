"""The mission's five questions are answered with what was measured."""

from __future__ import annotations

import pytest

from judge.evidence import curve, evidence, rung
from tailtune.core.reports import Question
from tailtune.judge.decide import Evidence, verdict
from tailtune.judge.questions import questions
from tailtune.spec.model import TargetsSpec, TrainSpec


def ask(shown: Evidence, targets: TargetsSpec) -> dict[str, Question]:
    found = questions(shown, verdict(shown, targets, TrainSpec()), targets)
    return dict(zip(("context", "labels", "latency", "format", "cadence"), found, strict=True))


def test_context_solves_it_exactly_when_the_verdict_is_stay() -> None:
    targets = TargetsSpec(accuracy=0.94)
    assert ask(evidence(rung("probe", 0.99)), targets)["context"].answer == "yes"
    no = ask(evidence(rung("probe", 0.9)), targets)["context"]
    assert no.answer == "no"
    assert no.evidence == "Probe 90.0 % (89.0–91.0) against 96.0% needed; prompted models were not measured"


@pytest.mark.parametrize(("rows", "answer"), [(4999, "no"), (5000, "yes")])
def test_labels_are_counted_against_the_spec(rows: int, answer: str) -> None:
    found = ask(evidence(rung("probe", 0.9), train_rows=rows, gain=0.012), TargetsSpec(min_train_rows=5000))["labels"]
    assert (found.question, found.answer) == ("Are there 5,000+ good labels?", answer)
    assert (
        found.evidence
        == f"{rows:,} train rows after curation; the last doubling of labels gained the probe +1.2 points"
    )


def test_without_a_curve_nothing_is_claimed_of_it() -> None:
    shown = Evidence([rung("probe", 0.9)], curve((100, 0.5)), 100, None, ())
    assert ask(shown, TargetsSpec())["labels"].evidence == "100 train rows after curation; no learning curve"


def test_latency_counts_the_rungs_that_meet_the_target() -> None:
    shown = evidence(rung("tfidf", 0.8, p99_ms=1), rung("probe", 0.9, p99_ms=9))
    no = ask(shown, TargetsSpec())["latency"]
    assert (no.answer, no.evidence) == ("no", "no targets.p99_ms is declared")
    yes = ask(shown, TargetsSpec(p99_ms=5))["latency"]
    assert yes.answer == "yes"
    assert yes.evidence.startswith("target p99 5 ms: 1 of 2 rungs meet it locally; Tfidf takes 1.0 ms")


def test_what_nobody_measured_is_called_unmeasured() -> None:
    found = ask(evidence(rung("probe", 0.9)), TargetsSpec())
    assert found["cadence"].answer == "unmeasured"
    assert found["format"].answer == "yes"
