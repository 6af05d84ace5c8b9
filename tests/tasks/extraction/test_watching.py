"""Confidences of fields as a table, and the score that is expected from them."""

from __future__ import annotations

import numpy as np
from project import ROOT

from tailtune.config.paths import Paths
from tailtune.tasks.base import KnownRow
from tailtune.tasks.extraction.watching import confidences, watched
from tailtune.tasks.use_case import load_use_case


def test_fields_without_a_confidence_are_not_measured() -> None:
    table = confidences([[("b", 0.5)], [("a", 0.25), ("b", 1.0)], []], ("a", "b"))
    assert np.array_equal(table, [[np.nan, 0.5], [0.25, 1.0], [np.nan, np.nan]], equal_nan=True)
    assert confidences([], ("a", "b")).shape == (0, 2)


def test_the_score_of_rows_without_labels_is_expected_from_their_fields() -> None:
    task = load_use_case(Paths(ROOT), "insurance-claims").task
    first, second = task.answers.names[:2]
    sure, unsure = [(first, 0.95), (second, 0.95)], [(first, 0.5), (second, 0.5)]
    known = [KnownRow(sure, "", 0.95), KnownRow(unsure, "", 0.5)] * 50
    found = task.expected_accuracy(known, [unsure] * 30)
    assert found.accuracy is not None
    assert abs(found.accuracy.value - 0.5) < 0.05
    assert set(found.right_by) == {first, second}


def test_an_object_is_compared_field_by_field() -> None:
    schema = load_use_case(Paths(ROOT), "insurance-claims").task.answers
    chosen, spanned = schema.classified[0].name, schema.spanned[0].name  # type: ignore[attr-defined]
    seen = watched(schema, f'{{"{spanned}": "P-1", "{chosen}": null}}', [(spanned, 0.75)])  # type: ignore[arg-type]
    assert (seen.categories[f"{spanned} filled"], seen.categories[f"{chosen} filled"]) == ("yes", "no")
    assert seen.categories[chosen] is None and spanned not in seen.categories, "only choices have values to count"
    assert seen.numbers == {f"confidence of {spanned}": 0.75}


def test_without_a_valid_object_no_field_is_known() -> None:
    schema = load_use_case(Paths(ROOT), "insurance-claims").task.answers
    for answer in (None, "not JSON", "[1]"):
        seen = watched(schema, answer, [])  # type: ignore[arg-type]
        assert set(seen.categories.values()) == {None} and not seen.numbers
