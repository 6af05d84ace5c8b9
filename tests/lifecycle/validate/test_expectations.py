from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tailtune.lifecycle.curate import REASONS
from tailtune.lifecycle.validate.expectations import _BAD, LEAKS, TABLES, _result, check, expectations, offenders
from tailtune.lifecycle.validate.tables import LEAK_REASONS
from tailtune.tasks.base import Expectation

from ..helpers import project


def test_the_suite_says_what_the_spec_says(tmp_path: Path) -> None:
    context = project(
        tmp_path,
        {},
        data={"test_file": "t.csv"},
        curate={"min_chars": 5, "max_chars": 99},
        validate={"min_rows": 77, "min_rows_per_class": 9, "max_leak_share": 0.03, "max_dropped_share": 0.4},
    )
    suite = expectations(context.case)
    lines = {expected.meaning for expected in suite}
    assert {
        "There are at least 77 curated rows.",
        "Every label is one of the 3 in models/tickets/labels.yaml.",
        "Every text has 5 to 99 characters, rows of the given test file aside.",
        "Every label has at least 9 train rows.",
        "At most 3.0 % of the given test rows (nearly) stood in the training file too.",
        "Curation dropped at most 40.0 % of the rows.",
        *LEAKS.values(),
    } <= lines
    assert len(lines) == len(suite) == 18
    assert {expected.table for expected in suite} == {*TABLES, "classes"}


def test_without_a_test_file_nothing_is_expected_of_one(tmp_path: Path) -> None:
    suite = expectations(project(tmp_path, {}, data={"file": "r.csv"}).case)
    assert not [expected for expected in suite if expected.subject == "leaked_test_share"]
    assert "Every text has 3 to 2,000 characters." in {expected.meaning for expected in suite}


def test_the_reasons_that_mean_a_leak_are_reasons_of_curation() -> None:
    assert set(LEAK_REASONS) == {reason for reason in REASONS if reason.endswith("test_file")}


TABLE = pd.DataFrame(
    {
        "text": ["a", "bb", "bb", None, "dddddd", None],
        "count": [1, 2, 3, 4, 5, 6],
        "origin": [f"r:{number}" for number in range(1, 7)],
    }
)
CASES = [
    ("expect_column_values_to_not_be_null", {"column": "text"}, "46"),
    ("expect_column_values_to_be_null", {"column": "text"}, "1235"),
    ("expect_column_values_to_be_unique", {"column": "text"}, "23"),
    ("expect_column_values_to_be_in_set", {"column": "text", "value_set": ["a", "bb"]}, "5"),
    ("expect_column_values_to_be_between", {"column": "count", "min_value": 3}, "12"),
    ("expect_column_values_to_be_between", {"column": "count", "max_value": 4}, "56"),
    ("expect_column_value_lengths_to_be_between", {"column": "text", "min_value": 2, "max_value": 4}, "15"),
]


def test_the_rows_named_are_the_rows_that_great_expectations_counts(tmp_path: Path) -> None:
    suite = [
        Expectation("rows", kind, arguments["column"], f"{i}", arguments)
        for i, (kind, arguments, _) in enumerate(CASES)
    ]
    results = check("x", suite, {"rows": TABLE}, tmp_path)
    assert [result.bad_rows for result in results] == [len(rows) for *_, rows in CASES]
    assert [result.bad_origins for result in results] == [tuple(f"r:{n}" for n in rows) for *_, rows in CASES]


@pytest.mark.parametrize("kind", sorted(_BAD))
def test_every_kind_that_has_rows_is_held_against_great_expectations(kind: str) -> None:
    assert kind in {case[0] for case in CASES}


def test_what_is_about_a_table_has_no_rows(tmp_path: Path) -> None:
    suite = expectations(project(tmp_path, {}).case)
    about_tables = [expected for expected in suite if expected.kind not in _BAD]
    assert {expected.kind for expected in about_tables} == {
        "expect_table_columns_to_match_set",
        "expect_table_row_count_to_be_between",
        "expect_column_values_to_be_of_type",
    }
    assert all(offenders(expected, TABLE).empty for expected in about_tables)


def test_few_rows_are_counted_and_not_quoted() -> None:
    expected = Expectation("rows", "expect_table_row_count_to_be_between", "rows", "Enough rows.", {"min_value": 50})
    result = SimpleNamespace(success=False, result={"observed_value": 2}, exception_info={})
    assert _result(expected, result, TABLE.head(2)).observed == "2"
    counts = pd.DataFrame({"split": ["dev"], "counts": ["dev (0 rows)"]})
    assert _result(expected, result, counts).observed == "dev (0 rows)"
