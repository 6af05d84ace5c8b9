"""Shapes, gazetteers, cue words and keywords."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.tasks.extraction.rungs import patterns
from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.rungs.patterns import Patterns, features
from tasks.extraction.rungs.claims import ROWS, SCHEMA, UNSEEN, context, labelled, share
from tasks.extraction.rungs.contract import Check, fitted, keeps


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Patterns, tmp_path / "rung")


def test_it_reads_claims_that_it_has_not_seen() -> None:
    rung = fitted(Patterns)
    answers = rung.answer([row.text for row in UNSEEN])
    assert share(answers, UNSEEN, lambda name: SCHEMA[name].spanned) > 0.9
    assert share(answers, UNSEEN, lambda name: not SCHEMA[name].spanned) > 0.9
    assert rung.fit_rows == 84


def test_of_two_dates_each_goes_to_the_field_that_its_words_speak_for() -> None:
    """One field of one value takes the surer candidate; a date that no field speaks for stays out."""
    text = "Received 3 July 2026. Caller Ada Lopez reports fire, damaged: roof. Happened 2 July 2026, estimate $900."
    (answer,) = fitted(Patterns).answer([text])
    assert answer.values["loss_date"] == "2026-07-02"
    assert answer.values["amount"] == {"amount": 900.0, "currency": "USD"}
    assert [span.of(text) for span in answer.spans if span.label == "loss_date"] == ["2 July 2026"]


def test_a_field_without_examples_is_never_answered() -> None:
    rows = [labelled(f"Mail of [name|Ada Lopez{i}]", {"kind": "mail"}) for i in range(6)]
    (answer,) = Patterns.fit(context(rows)).answer(["Mail of Ada Lopez7 on 4 May 2026, $400"])
    assert answer.values["loss_date"] is None
    assert answer.values["amount"] is None
    assert answer.values["name"] == "Ada Lopez7"


@pytest.mark.parametrize("shift", ["", "😀 é "])
def test_spans_are_counted_in_characters(shift: str) -> None:
    text = f"{shift}{UNSEEN[1].text}"
    (answer,) = fitted(Patterns).answer([text])
    surfaces = {span.label: span.of(text) for span in answer.spans}
    gold = UNSEEN[1].label.spans
    assert surfaces["name"] == next(span.of(UNSEEN[1].text) for span in gold if span.label == "name")


def test_features_are_a_candidates_reasons_words_and_surroundings() -> None:
    words = Words.of("Paid to Ada Lopez on Monday")
    found = features(words, 2, 4, ["seen:name"])
    assert {"seen:name", "size:2", "first:ada", "last:lopez", "shape:Aa Aa", "left:to", "left2:paid to"} <= set(found)
    assert {"right:on", "right2:on monday", "before:paid", "before:to", "behind:on", "behind:monday"} <= set(found)
    assert "left:\n" in features(words, 0, 1, [])
    assert "right:\n" in features(words, 5, 6, [])


def test_of_many_words_a_part_is_counted_whatever_the_order_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file sorted by kind of claim begins with one kind only; ids are hashes of content."""
    monkeypatch.setattr(patterns, "_MOST_WORDS", 600)
    rows = sorted(ROWS, key=lambda row: row.label.values["kind"])
    texts = [Words.of(row.text) for row in rows]
    counted = list(patterns._some(rows, texts))
    assert [rows[at].id for at in counted] == sorted(row.id for row in rows)[: len(counted)]
    assert 600 <= sum(len(texts[at]) for at in counted) < 650
    assert {rows[at].label.values["kind"] for at in counted} == {"mail", "call", "form"}
