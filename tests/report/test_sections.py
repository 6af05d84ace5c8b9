"""Floors beside the target, as every pen draws them."""

from __future__ import annotations

from tailtune.core.records import Estimate
from tailtune.core.reports import (
    DecideReport,
    EvaluateReport,
    Guard,
    LadderReport,
    Paired,
    RegisterReport,
    Report,
    Scored,
    SliceChange,
    SliceResult,
)
from tailtune.judge.shares import share_of
from tailtune.report import tables
from tailtune.report.html.page import render
from tailtune.report.sections import of_report

from . import fixtures

WHY = "the most frequent label has 39 times the rows of the rarest"
GUARDS = (
    Guard(metric="recall/fraud", floor=0.8),
    Guard(metric="recall/theft", floor=0.8),
    Guard(metric="macro_f1", floor=0.2, why=WHY),
    Guard(metric="must_not_fail", floor=1),
)


def guarded() -> dict[str, Report]:
    """A life in which the winner catches 4 of 20 frauds and 18 of 20 thefts, and fails a row that must not fail."""
    life = fixtures.whole()
    tested = life["evaluate"]
    assert isinstance(tested, EvaluateReport)
    more = {"recall/fraud": share_of(4, 20), "recall/theft": share_of(18, 20), "must_not_fail": share_of(7, 8)}
    changed = [
        each.model_copy(update={"metrics": each.metrics | more, "must_failed": ("must.jsonl:3",)})
        for each in tested.candidates
    ]
    life["evaluate"] = tested.model_copy(update={"candidates": tuple(changed), "guards": GUARDS})
    return life


def test_each_floor_says_what_is_reached_and_whether_that_is_enough() -> None:
    found = [fact for fact in of_report(guarded()["evaluate"]).facts if " %: " in fact.text and fact.tone]
    assert [(fact.name, fact.tone) for fact in found] == [("floor", tone) for tone in ("bad", "wait", "good", "bad")]
    texts = [fact.text for fact in found]
    assert texts[0].startswith("recall of fraud at least 80.0 %: ") and texts[0].endswith(" 20.0 % (5.7–43.7), missed")
    assert texts[1].endswith(" 90.0 % (68.3–98.8), met, not surely")
    assert texts[2].endswith(f", met; {WHY}")
    assert texts[3].endswith(" 87.5 % of 8 rows, not must.jsonl:3, missed")


def test_a_value_below_a_floor_that_its_interval_reaches_is_not_called_met() -> None:
    tested = fixtures.whole()["evaluate"]
    assert isinstance(tested, EvaluateReport)
    low = {"macro_f1": Estimate(value=0.497, low=0.197, high=0.799, rows=100)}
    changed = tuple(each.model_copy(update={"metrics": each.metrics | low}) for each in tested.candidates)
    floor = Guard(metric="macro_f1", floor=0.622, why=WHY)
    report = tested.model_copy(update={"candidates": changed, "guards": (floor,)})
    (fact,) = (fact for fact in of_report(report).facts if fact.name == "floor")
    assert fact.tone == "wait" and f" 49.7 % (19.7–79.9), below, not surely; {WHY}" in fact.text


def test_the_page_shows_the_floors_of_decision_and_test() -> None:
    life = guarded()
    decided = life["decide"]
    assert isinstance(decided, DecideReport)
    life["decide"] = decided.model_copy(update={"guards": GUARDS[:1]})
    page = render(life).replace("\u00a0", " ")
    assert "20.0 % (5.7–43.7), missed" in page and WHY in page
    assert "recall of fraud at least 80.0 %" in page and "not measured" in page


def test_without_floors_nothing_is_said_of_them() -> None:
    assert not [fact for fact in of_report(fixtures.whole()["evaluate"]).facts if fact.name == "floor"]


def test_few_groups_are_said_to_be_few() -> None:
    life = fixtures.whole()
    ladder, tested = life["ladder"], life["evaluate"]
    assert isinstance(ladder, LadderReport) and isinstance(tested, EvaluateReport)
    assert not [fact for fact in of_report(tested).facts if fact.name == "groups"]
    rungs = tuple(_grouped(rung, 240) for rung in ladder.rungs)
    life["ladder"] = ladder.model_copy(update={"rungs": rungs})
    candidates = tuple(_grouped(candidate, 12) for candidate in tested.candidates)
    life["evaluate"] = tested.model_copy(update={"candidates": candidates})
    (many,) = (fact for fact in of_report(life["ladder"]).facts if fact.name == "groups")
    (few,) = (fact for fact in of_report(life["evaluate"]).facts if fact.name == "groups")
    assert many.text.endswith(" rows from 240 groups (data.group)") and not many.tone
    assert " rows from 12 groups (data.group): too few groups: intervals may be too narrow" in few.text
    page = render(life)
    assert "240 groups" in page and "too few groups" in page


def _grouped(scored: Scored, groups: int) -> Scored:
    measured = {name: each.model_copy(update={"groups": groups}) for name, each in scored.metrics.items()}
    return scored.model_copy(update={"metrics": measured})


def test_slices_that_are_behind_are_named() -> None:
    tested = fixtures.whole()["evaluate"]
    assert isinstance(tested, EvaluateReport)
    sliced = (
        SliceResult(name="channel", value="phone", rows=100, quality=share_of(60, 100), behind=0.4, p_adjusted=0.001),
        SliceResult(name="channel", value="", rows=200, quality=share_of(200, 200), behind=-0.4, p_adjusted=0.001),
    )
    report = tested.model_copy(update={"per_slice": sliced})
    (fact,) = (fact for fact in of_report(report).facts if fact.name == "by channel")
    assert fact.text == (
        "phone (100 rows) 60.0 % (49.7–69.7) · (empty) (200 rows) 100.0 % (98.2–100.0); clearly behind: "
        "phone by 40.0 points"
    )
    assert tables.of_report(report)["per_slice"]["value"] == ["phone", ""]


def test_slices_that_are_worse_than_the_champion_are_named() -> None:
    registered = fixtures.whole()["register"]
    assert isinstance(registered, RegisterReport)
    gap = Estimate(value=-0.2, low=-0.29, high=-0.11, rows=100)
    pair = Paired(
        first="candidate", second="champion v1", difference=gap, only_first_right=0, only_second_right=20, p=1e-5
    )
    change = SliceChange(name="channel", value="phone", comparison=pair, p_adjusted=1e-4)
    report = registered.model_copy(update={"slices": (change,)})
    (fact,) = (fact for fact in of_report(report).facts if fact.name == "clearly worse")
    assert fact.text == "channel phone: −20.0 points (−29.0 to −11.0) on 100 test rows"
    assert tables.of_report(report)["slices"]["p_adjusted"] == [1e-4]
