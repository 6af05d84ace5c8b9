"""The tables that the suite is held against, from the curated files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tailtune.core.errors import MissingInputError
from tailtune.core.records import SPLITS, Row
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

    from tailtune.lifecycle.validate.leaks import Column

# Reasons of curation that say a row of the training file stood in the given test file; a test compares.
LEAK_REASONS = ("in_test_file", "near_test_file")


def build(
    case: UseCase, rows: list[Row], leaks: dict[str, Column], own: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """All tables. Column `origin` says, in each, what a failing line is called.

    Args:
        case: The use case.
        rows: Curated rows of all splits.
        leaks: Columns of the leakage gate, as long as the rows.
        own: The task's own tables.
    """
    import pandas as pd

    columns = {
        name: [getattr(row, name) for row in rows] for name in ("id", "text", "label", "origin", "split", "group")
    }
    everyone = pd.DataFrame({**columns, **leaks})
    for name in leaks:
        everyone[name] = everyone[name].astype(object)
    measured = everyone if case.spec.data.test_file is None else everyone[everyone["split"] != "test"]
    return {
        "rows": everyone,
        "measured": measured.reset_index(drop=True),
        "splits": _splits(everyone),
        "curation": _curation(case, everyone),
        **own,
    }


def _splits(everyone: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    counts = everyone["split"].value_counts()
    rows = [int(counts.get(split, 0)) for split in SPLITS]
    return pd.DataFrame(
        {"split": list(SPLITS), "rows": rows, "origin": [f"{s} ({n} rows)" for s, n in zip(SPLITS, rows, strict=True)]}
    )


def _curation(case: UseCase, everyone: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    dropped, leaked = _dropped(case)
    read = dropped + len(everyone)
    dropped_share = dropped / read if read else 0.0
    tests = int((everyone["split"] == "test").sum())
    leaked_share = leaked / tests if tests else 0.0
    said = f"{dropped:,} of {read:,} rows dropped ({dropped_share:.1%})"
    if case.spec.data.test_file is not None:
        said += f"; {leaked:,} of {tests:,} test rows leaked ({leaked_share:.1%})"
    return pd.DataFrame({"dropped_share": [dropped_share], "leaked_test_share": [leaked_share], "origin": [said]})


def _dropped(case: UseCase) -> tuple[int, int]:
    """Rows that curation dropped, and distinct test rows they (nearly) repeated."""
    file = case.paths.dropped
    if not file.is_file():
        raise MissingInputError(f"{case.paths.project.shown(file)}: not there", f"tailtune curate {case.name}")
    count = 0
    leaked: set[str] = set()
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            count += 1
            row = json.loads(line)
            if row["reason"] in LEAK_REASONS:
                leaked.update(row["of"])
    return count, len(leaked)
