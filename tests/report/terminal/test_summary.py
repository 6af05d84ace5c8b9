"""What a person reads in the terminal: fits, tells the truth about gaps, and names what to do next."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from tailtune.core.measures import MEASURES
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import Report
from tailtune.report.numbers import Scale
from tailtune.report.terminal.drawing import Whisker, continued
from tailtune.report.terminal.summary import Links, summary

from .. import claims, fixtures

SHOWN = Links(
    page="build/support-tickets/register/decision.html",
    ui="make ui",
    show="tailtune show support-tickets",
    serve="mlflow models serve -m models:/support-tickets@champion --env-manager local",
    again="tailtune run support-tickets",
)


def drawn(
    reports: dict[str, Report],
    width: int = 80,
    shown: Links = SHOWN,
    encoding: str = "utf-8",
    stopped: bool = False,
) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=width).print(summary(reports, shown, stopped))
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode(encoding)


def flat(reports: dict[str, Report], width: int = 120, stopped: bool = False) -> str:
    return " ".join(drawn(reports, width, stopped=stopped).replace("│", " ").split())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("case", [fixtures.whole, fixtures.stay, fixtures.stopped, claims.whole, claims.stay])
def test_lines_fit_and_carry_no_escapes_or_trailing_blanks(case: object, width: int) -> None:
    assert callable(case)
    lines = drawn(case(), width).splitlines()
    assert len(lines) > 10
    for line in lines:
        assert len(line) <= width
        assert line == line.rstrip()
        assert "\x1b" not in line


def test_every_rung_stands_in_the_table_by_name_or_title() -> None:
    narrow, wide = drawn(fixtures.whole(), 80), drawn(fixtures.whole(), 120)
    rungs = fixtures.ladder().rungs
    assert rungs
    for rung in rungs:
        assert rung.name in narrow
        assert rung.title in wide


def test_the_whole_story_is_told() -> None:
    text = flat(fixtures.whole())
    for phrase in (
        "Use the fine-tune; the target is 0.7 points away provisional",
        "12,000 read → 10,873 kept",
        "near duplicate 689",
        "7 expectations hold",
        "target 95.0 % at ┊",
        "not measured prompted language model: no endpoint is configured",
        "5 epochs at 268 rows/s",
        "94.1 % (kept)",
        "LoRA fine-tune int8 weights, 23 MB; the same answer on 99.4 % of 5,000 texts",
        "not used Frozen encoder + linear probe, int8 weights: the same answer on 98.7 % of 5,000 texts, less",
        "+3.3 points (+2.1 to +4.5), p < 0.0001",
        "ECE 0.021",
        "support-tickets version 3 @champion, @challenger",
        "promoted better than version 2",
        "4 min 47 s",
        "decision page build/support-tickets/register/decision.html",
        "mlflow models serve -m models:/support-tickets@champion --env-manager local",
    ):
        assert phrase in text, phrase


def test_labels_keep_the_columns_they_always_had() -> None:
    text = drawn(fixtures.whole()).splitlines()
    heads = [line.split() for line in text if line.startswith(("  rung ", "  model "))]
    times = ["p50", "ms", "p99", "ms", "$/1,000"]
    assert heads == [
        ["rung", "accuracy,", "95", "%", "55", "95", "%", "F1", *times, "labels"],
        ["model", "accuracy,", "95", "%", "89", "96", "%", "F1", *times, "ECE"],
    ]
    assert "measure, 95 %" not in "\n".join(text), "both measures have their columns"


def test_the_story_of_an_extraction_is_told_in_its_own_measures() -> None:
    text = flat(claims.whole())
    for phrase in (
        "Use the fine-tune provisional",
        "the fine-tune reaches a field F1 of 97.4 %, 10.2 points more than the best cheaper way",
        "It reaches the target of 97.0 %. It answers 63.4 % of rows wholly right.",
        "Rows 45 fields",
        "not found 552 values that their text does not say: estimated_damage 214 · loss_date 161",
        "policy_number 22 · loss_time 9 · 2 more fields",
        "rung field F1, 95 %",
        "exact p50 ms",
        "dev field F1 94.1 % → 96.6 % → 97.2 % → 97.4 % (kept)",
        "whole object 63.4 % (61.0–65.8) 9.2 % (7.7–10.7) Share of rows in which every field is right.",
        "schema-valid 100.0 % (99.7–100.0)",
        "difference +10.2 points (+9.7 to +10.7) of field F1, p < 0.0001",
        "wholly right alone: LoRA fine-tune 832, Frozen encoder + linear token head 12",
        "weakest F1 peril 0.84 · repair_estimate 0.84 · report_date 0.85",
        "ECE 0.018",
    ):
        assert phrase in text, phrase
    for strange in ("accuracy,", "labels)", "right,", "macro-F1"):
        assert strange not in text, strange


def test_every_measure_of_winner_and_other_stands_under_the_test() -> None:
    lines = drawn(claims.whole(), 80).splitlines()
    table = lines[lines.index("  measure, 95 %    lora                  token_probe") + 1 :]
    named = [line[2:17].strip() for line in table[: table.index("")]]
    metrics = claims.evaluate().candidates[0].metrics
    assert len(metrics) > 2
    assert named == [MEASURES[name].title for name in list(metrics)[1:]]


def test_without_a_comparison_only_the_winners_measures_are_listed() -> None:
    text = flat(claims.stay(), 80)
    assert "measure, 95 % token_probe field precision" in text
    assert "it answers" not in text
    assert "token head reaches a field F1 of 87.2 %. It answers 9.2 % of rows wholly right." in text


def test_a_measure_that_one_of_two_lacks_is_not_made_up() -> None:
    found = claims.evaluate()
    *others, probe = found.candidates
    poorer = probe.model_copy(update={"metrics": {"field_f1": probe.quality}})
    reports = {**claims.whole(), "evaluate": found.model_copy(update={"candidates": (*others, poorer)})}
    assert "whole object 63.4 % (61.0–65.8) n/a" in flat(reports, 80)


def test_rows_without_unaligned_values_say_nothing_of_them() -> None:
    reports = {**claims.whole(), "curate": claims.curate().model_copy(update={"unaligned": {"towed": 0}})}
    assert "not found" not in flat(reports)


def test_a_lost_fine_tune_is_compared_in_the_measure() -> None:
    text = flat({**claims.whole(), "evaluate": claims.evaluate_lost()})
    assert "it reaches a field F1 of 87.2 % and the fine-tune 87.3 %: the fine-tune did not earn its keep" in text


@pytest.mark.parametrize("reports", [*fixtures.parts(), *claims.parts()], ids=len)
def test_every_part_of_a_story_can_be_told(reports: dict[str, Report]) -> None:
    text = flat(reports)
    assert ("Bill" in text) == bool(reports)
    assert ("serve the model" in text) == ("register" in reports)


def test_a_closed_gate_names_expectation_and_rows_and_hides_older_reports() -> None:
    later = {**fixtures.whole(), **fixtures.stopped()}
    for reports in (fixtures.stopped(), later):
        text = flat(reports)
        assert "Stopped: the rows do not pass" in text
        assert "expectation expect_column_values_to_be_in_set" in text
        assert "tickets.jsonl:8811 and 32 more" in text
        assert "go on after the correction tailtune run support-tickets" in text
        assert "Ladder" not in text
        assert "decision page" not in text


def test_a_run_that_stopped_shows_no_verdict_of_an_earlier_one() -> None:
    reports = fixtures.whole()
    del reports["train"]
    text = flat(reports, stopped=True)
    assert "Stopped at train" in text
    assert "Next: tailtune run support-tickets" in text
    assert "Left out, as they are of an earlier run: export, evaluate, register." in text
    for old in ("Use the fine-tune", "provisional 2026", "opened once", "decision page", "serve the model"):
        assert old not in text, old


def test_a_run_that_stopped_before_any_stage_tells_nothing_old() -> None:
    text = flat(fixtures.whole(), stopped=True)
    assert "Stopped before a stage began" in text
    assert "this summary again tailtune show support-tickets" in text
    for old in ("Use the fine-tune", "2026", "Ladder", "Decision", "Bill", "decision page", "serve the model"):
        assert old not in text, old


def test_the_rung_that_stays_is_marked_though_another_is_more_accurate() -> None:
    marked = [line.split()[1] for line in drawn(fixtures.stay()).splitlines() if line.startswith("▸")]
    assert marked == ["retrieval", "retrieval"], "on the ladder and on test"


@pytest.mark.parametrize(
    ("reports", "reason", "training"),
    [
        (fixtures.stay(), fixtures.WHY_STAY, "training not allowed"),
        (fixtures.whole(), fixtures.WHY_TRAIN, "training allowed (estimated cost $0.0041)"),
    ],
)
def test_the_reason_of_the_decision_stands_once(reports: dict[str, Report], reason: str, training: str) -> None:
    text = flat(reports)
    decision = text[text.index("Decision") : text.index("Training")]
    assert decision.count(reason) == 1
    assert training in decision


def test_a_training_that_the_spec_overrules_says_so() -> None:
    overruled = Decision(yes=True, reason="train.when is always (the verdict alone was stay)")
    reports = {**fixtures.stay(), "decide": fixtures.decide_stay().model_copy(update={"train": overruled})}
    assert "training allowed: train.when is always (the verdict alone was stay)" in flat(reports)


def test_nothing_trained_is_said_with_its_reason() -> None:
    text = flat(fixtures.stay())
    assert "Stay with retrieval, nearest labelled rows" in text
    assert "provisional" not in text
    assert "Nothing was trained: a cheaper rung meets the target" in text
    assert "difference" not in text


def test_a_lost_fine_tune_is_not_recommended() -> None:
    reports = {**fixtures.whole(), "evaluate": fixtures.evaluate_lost()}
    assert "Stay with frozen encoder + linear probe" in flat(reports)
    assert "the fine-tune did not earn its keep" in flat(reports)


def test_a_gain_within_chance_is_called_so() -> None:
    reports = {**fixtures.whole(), "evaluate": fixtures.evaluate_lost().model_copy(update={"winner": "lora"})}
    assert "no more than chance explains (95 % interval −0.8 to +1.2 points)" in flat(reports)


def test_a_version_kept_out_by_the_gate_is_named() -> None:
    kept = fixtures.register()
    refused = kept.promotion.model_copy(update={"yes": False, "reason": "not better than version 2"})
    reports = {
        **fixtures.whole(),
        "register": kept.model_copy(update={"promotion": refused, "champion_version": "2", "aliases": ()}),
    }
    text = flat(reports)
    assert "Version 3 is registered but not promoted; version 2 stays champion." in text
    assert "not promoted not better than version 2" in text


def test_unknown_costs_and_unmeasured_figures_are_never_zero() -> None:
    ladder = fixtures.ladder()
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    blank = {"metrics": {"accuracy": nothing, "macro_f1": nothing}, "usd_per_1000": None}
    rung = ladder.rungs[0].model_copy(update=blank)
    reports = fixtures.reports(
        fixtures.curate().model_copy(update={"cost": fixtures.cost(6.2, None)}),
        fixtures.validate().model_copy(update={"cost": None}),
        ladder.model_copy(update={"rungs": (rung, *ladder.rungs[1:]), "cost": None}),
    )
    text = drawn(reports, 120)
    row = next(line for line in text.splitlines() if "Majority class" in line)
    assert "n/a (n/a)" in row
    assert "not known" in row
    assert "●" not in row
    total = next(line for line in text.splitlines() if line.startswith("  all"))
    assert "not known" in total
    assert "$0" not in total


def test_the_stage_that_draws_this_is_not_on_its_own_bill() -> None:
    """Register writes the page before it is done: its cost is not yet known, and is no gap in the bill."""
    reports = fixtures.reports(fixtures.curate(), fixtures.validate().model_copy(update={"cost": None}))
    assert "not known" not in flat(reports)


def test_a_partly_known_bill_is_a_lower_bound() -> None:
    validated = fixtures.validate()
    assert validated.cost is not None
    unpriced = validated.model_copy(update={"cost": validated.cost.model_copy(update={"usd": None})})
    reports = fixtures.reports(fixtures.curate(), unpriced)
    assert "$0.00017 + not known" in flat(reports)


def test_an_ascii_terminal_gets_ascii() -> None:
    text = drawn(fixtures.whole(), 80, encoding="ascii")
    assert "[-" in text
    assert "?" not in text


def test_markup_in_reports_is_shown_and_not_obeyed() -> None:
    reports = fixtures.whole()
    reports["decide"] = fixtures.decide().model_copy(update={"reason": "[bold]x[/bold] [/nonsense] [1/2]"})
    assert "[bold]x[/bold] [/nonsense] [1/2]" in flat(reports)


def test_no_links_no_section() -> None:
    assert "Look further" not in drawn(fixtures.whole(), shown=Links())


def test_a_long_command_can_still_be_pasted() -> None:
    broken = continued(SHOWN.serve, 50)
    assert "\n" in broken
    assert broken.replace("\\\n  ", "") == SHOWN.serve
    assert continued("make ui", 50) == "make ui"


def test_a_whisker_stands_where_its_numbers_say() -> None:
    scale = Scale(0.0, 1.0)
    cell = Whisker(Estimate(value=0.5, low=0.3, high=0.7, rows=9), scale, target=0.9).drawn(11).plain
    assert cell == "   ├─●─┤ ┊ "
    assert Whisker(Estimate(value=0.1, low=0, high=0.2, rows=9), Scale(0.5, 1)).drawn(5).plain == "◂    "


def test_a_scale_holds_what_is_near_and_the_target() -> None:
    near = [fixtures.estimate(value, 1000) for value in (0.62, 0.91)]
    scale = Scale.around([fixtures.estimate(0.04, 1000), *near], 0.95)
    assert (round(scale.low, 2), round(scale.high, 2)) == (0.55, 0.95)
    assert scale.place(0.04) < 0
    assert Scale.around([]) == Scale(0.0, 1.0)
    one = Scale.around([Estimate(value=1.0, low=1.0, high=1.0, rows=5)])
    assert one.low < one.high
