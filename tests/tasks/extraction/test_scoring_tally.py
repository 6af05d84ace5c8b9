"""Rows counted: what is right, and what no object at all counts as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.records import Answer
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.scoring import tally
from tasks.extraction.claims import RULES, SCHEMA, answered, gold

DATE = st.sampled_from([None, "2026-01-01", "2026-01-02", "01/01/2026"])
VALUES = st.fixed_dictionaries(
    {
        "loss_date": DATE,
        "report_date": DATE,
        "items": st.one_of(st.none(), st.lists(st.sampled_from(["roof", "Roof", "door"]), max_size=3)),
        "peril": st.sampled_from([None, "fire", "hail"]),
        "injured": st.sampled_from([None, True, False]),
    }
)


def test_two_rows_by_hand() -> None:
    expected = [
        gold((0, 5, "loss_date"), loss_date="2026-01-01", items=["roof", "door"], peril="fire"),
        gold(loss_date="2026-01-02", injured=False),
    ]
    answers = [
        answered((0, 5, "loss_date"), (6, 9, "items"), loss_date="2026-01-01", items=["roof"], peril="hail"),
        answered(loss_date="2026-01-02", injured=False, sure=0.9),
    ]
    found = tally(SCHEMA, expected, answers, RULES)
    assert found.outcomes.tolist() == [[2, 1, 2], [2, 0, 0]]
    assert found.right.tolist() == [[True, True, False, False, True], [True] * 5]
    assert found.rows_right.tolist() == [False, True]
    assert found.spans.tolist() == [[1, 2, 1], [0, 0, 0]]
    assert np.isnan(found.confidence[0]).all()
    assert found.confidence[1] == pytest.approx([0.9] * 5)


@pytest.mark.parametrize("value", [None, "no JSON", '["a list"]', "12"])
def test_an_answer_that_is_no_object_is_empty_and_never_right(value: str | None) -> None:
    found = tally(SCHEMA, [gold(), gold(peril="fire")], [Answer(value, 0.5)] * 2, RULES)
    assert found.outcomes.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert not found.right.any()
    assert not found.objects.any()
    assert not found.valid.any()


def test_a_plain_answer_is_read_as_json() -> None:
    found = tally(SCHEMA, [gold(peril="fire", injured=True)], [Answer('{"peril":"fire","injured":true}', 0.5)], RULES)
    assert found.rows_right.tolist() == [True]
    assert found.valid.tolist() == [True]


def test_a_property_that_the_schema_does_not_know_makes_the_row_wrong() -> None:
    found = tally(SCHEMA, [gold(peril="fire")], [answered(peril="fire", colour="red")], RULES)
    assert found.right.all()
    assert found.rows_right.tolist() == [False]


def test_answers_and_rows_must_pair() -> None:
    with pytest.raises(ValueError, match="1 answers for 2 rows"):
        tally(SCHEMA, [gold(), gold()], [answered()], RULES)
    with pytest.raises(ValueError, match="at least one"):
        tally(SCHEMA, [], [], RULES)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_counts_add_up(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """What is right is well-formed and meant; a row is right when nothing in it is wrong or missed."""
    expected = [Annotation({name: value for name, value in needed.items() if value is not None}) for needed, _ in pairs]
    found = tally(SCHEMA, expected, [Extraction.of(given_) for _, given_ in pairs], RULES)
    assert (found.hits <= np.minimum(found.formed, found.meant)).all()
    assert (found.hits >= found.formed + found.meant - found.answered).all()
    assert (np.maximum(found.formed, found.meant) <= found.answered).all()
    assert (found.meant <= found.expected).all()
    hits, wrong, missed = found.outcomes.T
    assert (hits + wrong == found.answered.sum(axis=1)).all()
    assert (hits + missed == found.expected.sum(axis=1)).all()
    assert (found.rows_right == ((wrong == 0) & (missed == 0))).all()
