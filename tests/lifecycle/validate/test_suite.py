from __future__ import annotations

from pathlib import Path

from tailtune.lifecycle.curate import REASONS
from tailtune.lifecycle.validate.suite import LEAKS, TABLES, expectations
from tailtune.lifecycle.validate.tables import LEAK_REASONS

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
    told = {expected.meaning for expected in suite}
    assert {
        "There are at least 77 curated rows.",
        "Every label is one of the 3 in models/tickets/labels.yaml.",
        "Every text has 5 to 99 characters, rows of the given test file aside.",
        "Every label has at least 9 train rows.",
        "At most 3.0% of the given test rows (nearly) stood in the training file too.",
        "Curation dropped at most 40% of the rows.",
        *LEAKS.values(),
    } <= told
    assert len(told) == len(suite) == 18
    assert {expected.table for expected in suite} == {*TABLES, "classes"}


def test_without_a_test_file_nothing_is_expected_of_one(tmp_path: Path) -> None:
    suite = expectations(project(tmp_path, {}, data={"file": "r.csv"}).case)
    assert not [expected for expected in suite if expected.subject == "leaked_test_share"]
    assert "Every text has 3 to 2,000 characters." in {expected.meaning for expected in suite}


def test_the_reasons_that_mean_a_leak_are_reasons_of_curation() -> None:
    assert set(LEAK_REASONS) == {reason for reason in REASONS if reason.endswith("test_file")}
