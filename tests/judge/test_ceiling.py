"""Which labels look wrong, and what that leaves to show: figures that follow from flags whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from judge.evidence import cost_inputs, evidence, noise, product_targets, rung
from tailtune.core.label_noise import LabelNoise
from tailtune.core.records import Review, Row
from tailtune.judge.ceiling import FINDS, MISTAKES, REVIEW_S, Opinions, ceiling_note, label_noise, suspects, wrong_share
from tailtune.judge.verdict import Outcome, may_train, verdict


def row(number: int, label: str = "a", review: Review = "", group: str | None = None) -> Row:
    return Row(f"id{number}", f"text {number}", label, f"r.jsonl:{number}", "dev", group, review)


def opinions(odds: list[float], seconded: list[bool] | None = None) -> Opinions:
    """Whoever is doubted is likely b."""
    sure = np.array(odds)
    return Opinions(["b"] * len(odds), sure / (1 + sure), sure, np.array(seconded or [True] * len(odds)))


def flags(wrong: int, errors: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """So many suspect rows, so many further errors of the head."""
    place = np.arange(rows)
    return place < wrong, place < wrong + errors


def test_a_label_looks_wrong_where_both_models_name_the_same_other_one() -> None:
    rows = [row(number) for number in range(4)]
    found = suspects(rows, opinions([21, 400, 400, 19], [True, True, False, True]))
    assert [(label.id, label.label, label.likely_label) for label in found] == [("id1", "a", "b"), ("id0", "a", "b")]


def test_a_label_that_a_person_has_seen_never_looks_wrong_again() -> None:
    rows = [row(0, review="confirmed"), row(1)]
    noise, found = label_noise("dev", rows, opinions([400, 400]), person_hour_usd=None)
    assert [label.id for label in found] == ["id1"]
    assert (noise.rows, noise.reviewed_rows, noise.suspect_rows) == (2, 1, 1)


@pytest.mark.parametrize("rows", [400, 1200, 5000])
def test_the_share_is_corrected_for_what_is_missed_and_mistaken(rows: int) -> None:
    """Of 5 % wrong labels the usual share is found; the head errs in 10 % otherwise, some of that is suspected too."""
    mistaken = round(rows * 0.1 * MISTAKES[1])
    suspect, missed = flags(round(rows * 0.05 * FINDS[1]) + mistaken, round(rows * 0.1), rows)
    share = wrong_share(suspect, missed, [None] * rows)
    assert share.value == pytest.approx(0.05, abs=0.003)
    assert 0.01 < share.low < 0.05 < share.high < 0.10
    assert share.rows == rows


def test_more_rows_narrow_the_interval_but_what_the_check_is_worth_stays() -> None:
    widths = []
    for rows in (200, 2000, 200_000):
        share = wrong_share(*flags(rows // 20, rows // 10, rows), [None] * rows)
        widths.append(share.high - share.low)
    assert widths[0] > widths[1] > widths[2] > 0.015


def test_a_weak_head_takes_few_suspects_for_nothing() -> None:
    share = wrong_share(*flags(26, 360, 1000), [None] * 1000)  # all labels right, the head wrong on 39 %
    assert share.low == 0.0
    assert share.value < 0.01


def test_groups_widen_the_interval() -> None:
    suspect, missed = flags(60, 0, 1000)
    alone = wrong_share(suspect, missed, [None] * 1000)
    grouped = wrong_share(suspect, missed, [str(number // 20) for number in range(1000)])
    assert grouped.high > alone.high
    assert grouped.groups == 50


def test_nothing_is_left_to_doubt_when_all_rows_were_reviewed() -> None:
    noise, found = label_noise("dev", [row(0, review="confirmed")], opinions([400]), person_hour_usd=30.0)
    assert found == ()
    assert (noise.ceiling.value, noise.ceiling.low, noise.ceiling.high) == (1.0, 1.0, 1.0)


def test_reviewed_rows_raise_the_ceiling() -> None:
    rows, doubts = [row(number) for number in range(100)], opinions([400.0] * 10 + [0.01] * 90)
    before, _ = label_noise("dev", rows, doubts, None)
    seen = [row(number, review="corrected" if number < 10 else "") for number in range(100)]
    after, _ = label_noise("dev", seen, doubts, None)
    assert after.ceiling.value > before.ceiling.value
    assert after.ceiling.low > before.ceiling.low


def test_what_the_check_missed_is_still_there_when_all_it_found_is_corrected() -> None:
    """55 of 1,148 looked wrong, 48 were; 10 more were wrong and looked right (the sample tickets)."""
    reviews: list[Review] = ["corrected"] * 48 + ["confirmed"] * 7 + [""] * 1093
    rows = [row(number, review=review) for number, review in enumerate(reviews)]
    noise, _ = label_noise("dev", rows, opinions([0.01] * 1148), None)
    assert noise.wrong.low == 0.0
    assert noise.wrong.value == pytest.approx(10 / 1148, abs=0.006)
    assert noise.ceiling.low < 1 - 10 / 1148 < noise.ceiling.high


def test_looking_at_suspect_rows_costs_a_persons_time() -> None:
    rows = [row(number) for number in range(180)]
    noise, _ = label_noise("test", rows, opinions([400.0] * 180), person_hour_usd=36.0)
    assert noise.review_hours == pytest.approx(180 * REVIEW_S / 3600) == 1.0
    assert noise.review_usd == pytest.approx(36.0)
    assert label_noise("test", rows, opinions([400.0] * 180), None)[0].review_usd is None


@pytest.mark.parametrize(
    ("target", "needed", "begins"),
    [
        (0.98, 0.987, "the target 98.0 % lies above what the dev labels can show: 50 of 1,000 labels look wrong"),
        (0.96, 0.973, "the target 96.0 % may lie above what"),
        (0.94, 0.96, "the target with its head-room, 96.0 %, may lie above what"),
        (0.90, 0.933, ""),
    ],
)
def test_the_note_names_what_lies_above_the_ceiling(target: float, needed: float, begins: str) -> None:
    note = ceiling_note(noise(0.05, 0.03, 0.08), target, needed)
    assert note.startswith(begins)
    assert bool(note) == bool(begins)
    assert not note or "would show about 95.0 % (92.0–97.0); review these labels first" in note


def test_unchecked_and_sound_labels_cap_nothing() -> None:
    assert ceiling_note(None, 0.999, 0.9999) == ""
    assert ceiling_note(noise(0.0, 0.0, 0.01, suspect=0), 0.999, 0.9999) == ""


def outcome(value: float, target: float, found: LabelNoise, **facts: Any) -> Outcome:
    shown = replace(evidence(rung("probe", value), **facts), labels=found)
    return verdict(shown, product_targets(target), 5.0)


def test_a_target_that_no_model_can_show_waits_for_its_labels() -> None:
    blocked = outcome(0.9, 0.98, noise(0.05, 0.03, 0.08))
    assert (blocked.verdict, blocked.cause) == ("not-yet", "labels")
    assert "show about 95.0 % (92.0–97.0): fix labels first (tailtune labels writes these rows" in blocked.reason
    assert not may_train(blocked, "auto", 0.2, 0.1).yes
    assert may_train(blocked, "auto", 0.006, 0.1).yes


@pytest.mark.parametrize("target", [0.95, 0.97])
def test_a_target_within_the_interval_of_the_ceiling_forbids_nothing(target: float) -> None:
    assert outcome(0.9, target, noise(0.05, 0.03, 0.08)).verdict == "fine-tune"


def test_more_rows_are_not_advised_where_no_number_of_rows_can_show_the_target() -> None:
    unsure = outcome(0.985, 0.98, noise(0.05, 0.03, 0.08))
    assert unsure.cause == "labels" and "cannot tell" not in unsure.reason


def test_wrong_labels_say_nothing_under_stay() -> None:
    shown = outcome(0.999, 0.98, noise(0.05, 0.03, 0.08))
    assert shown.verdict == "stay" and "fix labels" not in shown.reason
    loses = outcome(0.93, 0.98, noise(0.05, 0.03, 0.08), worth=cost_inputs(1, error_usd=0.0))
    assert loses.verdict == "stay" and "nothing pays" in loses.reason and "fix labels" not in loses.reason


def test_no_share_is_outside_of_what_shares_can_be() -> None:
    random = np.random.default_rng(1)
    for rows in (1, 2, 7, 60):
        for _ in range(50):
            missed = random.random(rows) < random.random()
            share = wrong_share(missed & (random.random(rows) < 0.5), missed, [None] * rows)
            assert 0 <= share.low <= share.value <= share.high <= 1
            assert not math.isnan(share.value)
