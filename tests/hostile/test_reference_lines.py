"""What answers every text alike is a line to beat: it never stays, wins or becomes champion, however right it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from judge.evidence import candidate, cost_inputs, evidence, product_targets, prompted, rung

from tailtune.core.records import Decision
from tailtune.core.reports import DecideReport, Verdict
from tailtune.judge.final import OnTest, final_verdict
from tailtune.judge.promote import not_above
from tailtune.judge.verdict import Outcome, may_train, verdict
from tailtune.tasks.saved import RUNG_KINDS
from tailtune.tasks.table import TASKS

TARGETS = product_targets(0.95)
LINE = rung("majority", 0.99, low=0.97)


def decided(*values: float, line: float = 0.99, **changes: Any) -> Outcome:
    """The verdict on rungs of these qualities, where a line of such quality was measured too."""
    names = ("tfidf", "probe", "retrieval")
    rungs = [rung(name, value) for name, value in zip(names, values, strict=False)]
    return verdict(evidence(*rungs, line=rung("majority", line), **changes), TARGETS, 5.0)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_one_line_and_candidates(task: str) -> None:
    assert [kind.ignores_text for kind in TASKS[task].rungs].count(True) == 1
    assert not TASKS[task].fine_tune.ignores_text


def test_no_prompt_is_a_line() -> None:
    assert {name for name, kind in RUNG_KINDS.items() if kind.ignores_text} == {"majority", "blank"}


@pytest.mark.parametrize("values", [(0.99,), (0.985, 0.99), (0.97, 0.96, 0.98), (0.5,)])
@pytest.mark.parametrize("worth", [None, cost_inputs(), cost_inputs(per_day=1, error_usd=0.0)])
def test_nothing_stays_that_is_not_above_the_line(values: tuple[float, ...], worth: Any) -> None:
    outcome = decided(*values, worth=worth)
    assert outcome.verdict == "not-yet" and outcome.best.name != "majority"
    assert "no better than Majority" in outcome.reason and "set targets.accuracy above 99.0 %" in outcome.reason
    assert outcome.would_change[0].startswith("a rung or a fine-tune above 99.0 %")
    assert not may_train(outcome, "auto").yes


@pytest.mark.parametrize("values", [(1.0,), (0.98, 1.0), (0.995, 0.4)])
def test_a_rung_above_the_line_stays_and_the_line_is_named(values: tuple[float, ...]) -> None:
    outcome = decided(*values)
    assert (outcome.verdict, outcome.best.quality.value) == ("stay", max(values))
    assert "Majority, which ignores the text, reaches the target too" in outcome.reason


def test_no_target_is_advised_where_the_line_is_always_right() -> None:
    outcome = verdict(replace(evidence(rung("probe", 1.0)), line=rung("majority", 1.0)), TARGETS, 5.0)
    assert outcome.verdict == "not-yet" and "set targets" not in outcome.reason
    assert "label more rows of the rarer answers" in outcome.reason


def test_a_line_below_the_target_changes_nothing() -> None:
    shown = evidence(rung("probe", 0.9))
    assert verdict(replace(shown, line=rung("majority", 0.3)), TARGETS, 5.0) == verdict(shown, TARGETS, 5.0)


def test_what_is_worse_than_the_line_does_not_stay_because_nothing_pays() -> None:
    dear = cost_inputs(per_day=1, error_usd=0.0)
    assert decided(0.8, line=0.7, worth=dear).verdict == "stay"
    assert decided(0.6, line=0.7, worth=dear).verdict == "fine-tune"


def test_a_prompt_must_be_above_the_line_too() -> None:
    assert verdict(evidence(prompted(0.99), line=LINE), TARGETS, 5.0).verdict == "not-yet"


def after(before: Verdict, dev: float, test: float, tuned: float | None = None, line: float = 0.99) -> Any:
    """The winner and the verdict on test."""
    report = DecideReport(
        use_case="toy", stage="decide", verdict=before, reason="why", provisional=False, best_rung="probe",
        target=0.95, train=Decision(yes=tuned is not None, reason="why"),
    )  # fmt: skip
    tested = OnTest(rung=candidate("probe", test), line=candidate("majority", line))
    if tuned is not None:
        from judge.test_final import gap

        tested = replace(tested, fine_tune=candidate("lora", tuned), comparison=gap(0.02, 0.01, 0.03))
    return final_verdict(tested, report, evidence(rung("probe", dev), line=rung("majority", line)), TARGETS)


def test_what_stayed_on_dev_must_be_above_the_line_on_test() -> None:
    won, final = after("stay", 1.0, 0.99)
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert "it is no better than Majority, which ignores the text" in final.reason


def test_a_fine_tune_below_the_line_does_not_win() -> None:
    won, final = after("fine-tune", 0.96, 0.96, tuned=0.98)
    assert (won.yes, final.verdict) == (False, "not-yet")
    assert won.reason.startswith("LoRA fine-tune (98.0 %) is no better than Majority (99.0 %), which ignores the text")


def test_a_fine_tune_above_the_line_wins() -> None:
    won, final = after("fine-tune", 0.96, 0.96, tuned=0.995)
    assert (won.yes, final.verdict) == (True, "fine-tune")


def test_what_is_no_better_than_the_line_is_not_promoted() -> None:
    line, equal = candidate("majority", 0.99), candidate("probe", 0.99)
    refused = not_above(equal, line)
    assert refused is not None and not refused.yes and "ignores the text" in refused.reason
    assert not_above(candidate("probe", 1.0), line) is None and not_above(equal, None) is None
