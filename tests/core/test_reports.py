"""Counts in and counts out are held when a report is made."""

from typing import Any

import pytest
from pydantic import ValidationError

from tailtune.core.reports import REPORTS, CurateReport
from tailtune.lifecycle.table import STAGES


def curated(**changes: Any) -> CurateReport:
    fields = {
        "use_case": "x",
        "stage": "curate",
        "rows_read": 10,
        "rows_kept": 7,
        "dropped": {"empty": 3},
        "splits": {"train": 5, "dev": 1, "test": 1},
        "labels": {"a": 7},
        "test_file": False,
    }
    return CurateReport(**(fields | changes))


def test_counts_that_add_up_are_taken() -> None:
    assert curated().rows_kept == 7


@pytest.mark.parametrize("changes", [{"rows_read": 11}, {"dropped": {}}, {"splits": {"train": 5, "dev": 1, "test": 0}}])
def test_rows_that_vanish_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="rows"):
        curated(**changes)


def test_every_stage_has_its_report() -> None:
    assert list(REPORTS) == [stage.name for stage in STAGES]
