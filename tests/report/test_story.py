"""Which reports make one story: those of the newest run, and never a verdict of an earlier one."""

from __future__ import annotations

import math

import pytest

from tailtune.core.reports import REPORTS, Report
from tailtune.report.story import Story
from tailtune.report.verdict import headline

from . import claims, fixtures

STAGES = list(REPORTS)


def without(*stages: str) -> dict[str, Report]:
    return {stage: report for stage, report in fixtures.whole().items() if stage not in stages}


def test_a_whole_life_is_told_whole() -> None:
    story = Story.of(fixtures.whole())
    assert [report.stage for report in story.reports] == STAGES
    assert (story.left_out, story.due, story.use_case) == ((), "", fixtures.CASE)


def test_the_order_is_that_of_the_stages_and_not_of_the_mapping() -> None:
    story = Story.of(dict(reversed(fixtures.whole().items())))
    assert [report.stage for report in story.reports] == STAGES


@pytest.mark.parametrize("missing", STAGES)
def test_what_stands_after_a_gap_is_of_an_earlier_run(missing: str) -> None:
    story = Story.of(without(missing))
    place = STAGES.index(missing)
    assert [report.stage for report in story.reports] == STAGES[:place]
    assert story.left_out == tuple(STAGES[place + 1 :])
    assert (story.due, story.use_case) == (missing, fixtures.CASE)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_report_about_other_rows_and_all_after_it_are_of_an_earlier_run(stage: str) -> None:
    reports = fixtures.whole()
    place = STAGES.index(stage)
    for later in STAGES[place:]:
        reports[later] = reports[later].model_copy(update={"rows_digest": "0123456789abcdef"})
    story = Story.of(reports)
    assert ([report.stage for report in story.reports], story.due) == (STAGES[:place], stage)
    assert story.left_out == tuple(STAGES[place:])


def test_an_old_time_is_no_proof_of_an_earlier_run() -> None:
    """DVC renews a stage with the same result, and those after it stay as they are."""
    reports = fixtures.whole()
    reports["curate"] = reports["curate"].model_copy(update={"finished_at": "2031-01-01T00:00:00+00:00"})
    assert Story.of(reports).left_out == ()


def test_a_report_that_names_no_rows_proves_nothing() -> None:
    reports = fixtures.whole()
    reports["train"] = reports["train"].model_copy(update={"rows_digest": ""})
    assert Story.of(reports).left_out == ()


def test_a_closed_gate_ends_the_story() -> None:
    story = Story.of({**fixtures.whole(), **fixtures.stopped()})
    assert [report.stage for report in story.reports] == ["curate", "validate"]
    assert story.left_out == tuple(STAGES[2:])
    assert headline(story).title == "Stopped: the rows do not pass"


def test_the_best_rung_is_the_one_that_the_decision_names() -> None:
    stay = Story.of(fixtures.stay())
    assert stay.best_rung is not None
    assert stay.ladder is not None
    assert stay.best_rung.name == "retrieval"
    assert max(stay.ladder.rungs, key=lambda rung: rung.quality.value).name == "probe", "or this test proves nothing"


def test_before_a_decision_the_best_rung_is_the_most_accurate() -> None:
    best = Story.of(fixtures.reports(fixtures.curate(), fixtures.validate(), fixtures.ladder())).best_rung
    assert best is not None
    assert best.name == "probe"
    assert Story.of({}).best_rung is None


def test_the_measure_is_that_of_what_was_scored() -> None:
    measured = fixtures.reports(claims.curate(), claims.validate(), claims.ladder())
    assert Story.of(fixtures.whole()).metric == "accuracy"
    assert Story.of(claims.whole()).metric == Story.of(measured).metric == "field_f1"
    assert Story.of({}).metric == ""


def test_labels_and_fields_alike_stand_worst_first_and_unmeasured_ones_last() -> None:
    assert Story.of(fixtures.whole()).parts[0].label == fixtures.LABELS[0]
    found = claims.evaluate()
    unmeasured = found.per_field[7].model_copy(update={"f1": math.nan})
    fields = (*found.per_field[:7], unmeasured, *found.per_field[8:])
    parts = Story.of({**claims.whole(), "evaluate": found.model_copy(update={"per_field": fields})}).parts
    assert parts[-1] == unmeasured
    assert [one.f1 for one in parts[:-1]] == sorted(one.f1 for one in fields if one is not unmeasured)
    assert Story.of({}).parts == ()


def test_a_decision_that_names_no_rung_of_the_ladder_has_no_best_rung() -> None:
    wrong = fixtures.decide().model_copy(update={"best_rung": "Frozen encoder + linear probe"})
    assert Story.of({**fixtures.whole(), "decide": wrong}).best_rung is None


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_stopped_says_where_and_gives_no_verdict(stage: str) -> None:
    shown = headline(Story.of(without(stage), stopped=True))
    assert (shown.tone, shown.title) == ("bad", f"Stopped at {stage}")
    later = STAGES[STAGES.index(stage) + 1 :]
    if later:
        assert f"of an earlier run: {', '.join(later)}." in shown.why


def test_a_run_that_stopped_before_any_stage_gives_no_verdict_of_the_last() -> None:
    shown = headline(Story.of(fixtures.whole(), stopped=True))
    assert (shown.tone, shown.title) == ("bad", "Stopped before a stage began")


def test_a_life_with_a_gap_is_not_finished() -> None:
    shown = headline(Story.of(without("train")))
    assert (shown.tone, shown.title) == ("wait", "Not finished: train is next")
    assert shown.why == (
        "Finished: curate, validate, ladder, prompt, diagnose, decide. "
        "Left out, as they are of an earlier run: export, evaluate, register."
    )
