"""The floor: nothing found, the most frequent choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.tasks.extraction.rungs.base import Blank
from tasks.extraction.rungs.claims import SCHEMA, context, labelled
from tasks.extraction.rungs.contract import Check, keeps


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Blank, tmp_path / "rung")


def test_fields_of_the_text_are_empty_and_others_are_what_is_most_frequent() -> None:
    rows = [
        labelled("a", {"kind": "call", "peril": "fire", "towed": True}),
        labelled("b", {"kind": "call", "peril": "hail"}),
        labelled("[name|c]", {"kind": "form", "peril": "hail", "name": "c"}),
        labelled("d", {"kind": "mail", "peril": "hail"}),
    ]
    answer, other = Blank.fit(context(rows)).answer(["c", "anything"])
    assert answer == other
    assert answer.values == {
        "name": None,
        "loss_date": None,
        "amount": None,
        "items": [],
        "peril": "hail",
        "kind": "call",
        "towed": None,
    }
    assert answer.confidences == pytest.approx(
        {"name": 0.75, "loss_date": 1, "amount": 1, "items": 1, "peril": 0.75, "kind": 0.5, "towed": 0.75}
    )


def test_a_field_that_may_not_be_empty_is_never_left_empty() -> None:
    """Two of three rows say no kind, but an object needs one."""
    rows = [labelled("a", {}), labelled("b", {}), labelled("c", {"kind": "form"})]
    (answer,) = Blank.fit(context(rows)).answer(["x"])
    assert answer.values["kind"] == "form"
    assert not SCHEMA["kind"].nullable
