"""The wrong fields of an answer: what they are, who says what to them, and what they were taken for."""

from __future__ import annotations

from typing import Any

import pytest

from tailtune.core.records import Answer, Row
from tailtune.judge.diagnose import WrongPart
from tailtune.tasks.base import RowAnswers
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.diagnosis import wrong_parts
from tasks.extraction.claims import RULES, SCHEMA

GOLD = {"loss_date": "2026-05-04", "report_date": "2026-05-09", "items": ["Sofa"], "peril": "fire"}


def label(**values: Any) -> str:
    return Annotation(values)


def answer(changes: dict[str, Any] | None) -> Answer:
    """The right object with some fields changed; None: no object at all."""
    if changes is None:
        return Answer(None, float("nan"))
    from tailtune.tasks.extraction.annotations import canonical

    return Answer(canonical({**GOLD, **changes}), float("nan"))


def parts(changes: dict[str, Any] | None, **others: Any) -> tuple[WrongPart, ...]:
    row = Row("id", "text", label(**GOLD), "r:1")
    return wrong_parts(SCHEMA, RULES, row, RowAnswers(answer(changes), **others))


def test_a_right_answer_has_no_wrong_part_and_a_wrong_one_only_its_own() -> None:
    assert parts({}) == ()
    assert [part.name for part in parts({"injured": True, "peril": "hail"})] == ["peril", "injured"]
    (part,) = parts({"peril": "hail"})
    assert (part.expected, part.answered) == ('"fire"', '"hail"')
    assert (part.strong, part.strong_right, part.evidence, part.local) == (None, None, None, None)


def test_an_answer_that_is_no_object_is_one_part() -> None:
    (part,) = parts(None)
    assert (part.name, part.answered, part.strong_right) == ("", None, None)
    assert parts(None, strong=answer({}))[0].strong_right is True
    assert parts(None, strong=answer({"peril": "hail"}))[0].strong_right is False
    assert parts(None, strong=answer({"colour": "red"}))[0].strong_right is False
    assert parts(None, strong=answer(None))[0].strong_right is False


def test_a_property_that_nobody_asked_for_is_wrong_too() -> None:
    (part,) = parts({"colour": "red"}, strong=answer({}))
    assert (part.name, part.answered, part.strong_right) == ("colour", '"red"', True)


def test_the_stronger_model_is_held_against_the_field_alone() -> None:
    both = parts({"peril": "hail", "injured": True}, strong=answer({"peril": "hail"}))
    assert [(part.name, part.strong_right) for part in both] == [("peril", False), ("injured", True)]
    assert [part.strong for part in both] == ['"hail"', "null"]
    assert [part.strong_right for part in parts({"peril": "hail"}, strong=answer(None))] == [False]


def test_a_right_value_badly_written_is_malformed_and_shows_how() -> None:
    (part,) = parts({"loss_date": "04/05/2026"})
    assert part.malformed
    assert (part.expected, part.answered) == ('"2026-05-04"', '"04/05/2026"')
    assert not parts({"loss_date": "05/05/2026"})[0].malformed


def test_what_means_the_same_reads_the_same() -> None:
    (part,) = parts({"items": ["table"]}, strong=answer({"items": ["TABLE"]}))
    assert part.answered == part.strong == '["table"]'


@pytest.mark.parametrize(
    ("local", "suspect"),
    [({"peril": "hail"}, True), ({}, False), ({"peril": None}, False), (None, False)],
)
def test_the_label_is_suspect_when_the_local_rung_says_the_same_other_value(
    local: dict[str, Any] | None, suspect: bool
) -> None:
    assert parts({"peril": "hail"}, local=answer(local))[0].suspect is suspect


def test_all_who_find_nothing_are_witnesses_too() -> None:
    (part,) = parts({"peril": None}, strong=answer({"peril": None}), local=answer({"peril": None}))
    assert part.suspect
    assert part.answered == part.strong == "null"


def test_evidence_is_an_example_with_a_value_or_one_without_where_none_belongs() -> None:
    assert parts({"peril": "hail"}, shown=[label(peril="hail")])[0].evidence is True
    assert parts({"peril": "hail"}, shown=[label(items=["x"])])[0].evidence is False
    assert parts({"injured": True}, shown=[label(injured=True)])[0].evidence is False
    assert parts({"injured": True}, shown=[label(injured=True), label()])[0].evidence is True
    assert parts({"peril": "hail"}, shown=[])[0].evidence is False


@pytest.mark.parametrize(
    ("changes", "pair"),
    [
        ({"peril": "hail"}, ('peril: "fire"', 'peril: "hail"')),
        ({"loss_date": "2026-05-09"}, ("loss_date", "report_date")),
        ({"loss_date": "1999-01-01"}, ("loss_date", "loss_date")),
        ({"loss_date": None}, None),
    ],
)
def test_what_was_taken_for_what(changes: dict[str, Any], pair: tuple[str, str] | None) -> None:
    assert parts(changes)[0].pair == pair
