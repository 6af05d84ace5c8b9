"""One value against another: hand-computed."""

from __future__ import annotations

from typing import Any

import pytest

from tailtune.tasks.extraction.schema import FieldSpec
from tailtune.tasks.extraction.scoring import Cell, Rules, compared
from tasks.extraction.claims import RULES, SCHEMA, means, object_valid


@pytest.mark.parametrize(
    ("field", "answered", "expected", "cell"),
    [
        ("loss_date", None, None, Cell()),
        ("loss_date", "2026-03-12", "2026-03-12", Cell(1, 1, 1, 1, 1)),
        ("loss_date", "2026-03-13", "2026-03-12", Cell(0, 1, 1, 1, 0)),
        ("loss_date", "12/03/2026", "2026-03-12", Cell(0, 1, 1, 0, 1)),  # the right day, badly written
        ("loss_date", None, "2026-03-12", Cell(0, 0, 1, 0, 0)),
        ("loss_date", "2026-03-12", None, Cell(0, 1, 0, 1, 0)),
        ("loss_date", ["2026-03-12"], "2026-03-12", Cell(0, 1, 1, 0, 1)),  # a list where one value belongs
        ("injured", 1, True, Cell(0, 1, 1, 0, 0)),  # JSON's 1 is not its true
        ("injured", False, False, Cell(1, 1, 1, 1, 1)),
        ("items", [], None, Cell()),
        ("items", ["Door", "roof"], ["roof", "door", "fence"], Cell(2, 2, 3, 2, 2)),
        ("items", ["roof", "roof"], ["roof"], Cell(1, 2, 1, 2, 1)),  # said twice, expected once
        ("items", ["roof"], ["roof", "roof"], Cell(1, 1, 2, 1, 1)),
        ("items", ["roof", 7], ["7", "roof"], Cell(1, 2, 2, 1, 2)),
        ("items", "roof", ["roof"], Cell(0, 1, 1, 0, 1)),  # one value where a list belongs
    ],
)
def test_items_are_counted(field: str, answered: Any, expected: Any, cell: Cell) -> None:
    assert compared(RULES, SCHEMA[field], answered, expected) == cell


def test_a_well_formed_item_is_met_before_a_badly_formed_one_takes_its_place() -> None:
    assert compared(RULES, SCHEMA["items"], [7, "7"], ["7"]) == Cell(1, 2, 1, 1, 1)


def test_the_format_of_a_value_is_asked_once() -> None:
    answers: list[Any] = []

    def valid(_: FieldSpec, value: Any) -> bool:
        answers.append(value)
        return True

    rules = Rules(means, valid, object_valid)
    for value in (True, 1, True, 1, [True]):
        compared(rules, SCHEMA["injured"], value, True)
    assert answers == [True, 1]
