"""The tables that the suite is checked against, with the columns of the leakage gate: from the curated files alone.

Curation removed rows that repeat another split by its own decisions; the leakage gate counts again from the files that
it wrote, so a fault there, or a file changed by hand, is found.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tailtune.core.errors import MissingInputError
from tailtune.core.figures import share
from tailtune.core.progress import Progress
from tailtune.core.records import SPLITS, Row
from tailtune.lifecycle.context import Context
from tailtune.services.near_duplicates import NearDuplicates, normal
from tailtune.tasks.base import COUNTS
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd


Column = list[str | None]
_TICK_ROWS = 5000
# Reasons of curation that say a row of the training file stood in the given test file; a test compares.
LEAK_REASONS = ("in_test_file", "near_test_file")


def build(context: Context, rows: list[Row], own: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """All tables. In each, column `origin` names a failing line for people; in a table of counts, `counts` does.

    Args:
        context: Of the stage.
        rows: Curated rows of all splits.
        own: The task's own tables.

    Raises:
        MissingInputError: The list of dropped rows is not there.
    """
    import pandas as pd

    case = context.case
    leaks = _leaks(case, rows, context.progress)

    columns = {
        name: [getattr(row, name) for row in rows] for name in ("id", "text", "label", "origin", "split", "group")
    }
    columns["label"] = [str(row.label) for row in rows]
    everyone = pd.DataFrame({**columns, **leaks})
    for name in leaks:
        everyone[name] = everyone[name].astype(object)
    measured = everyone if case.spec.data.test_file is None else everyone[everyone["split"] != "test"]
    return {
        "rows": everyone,
        "measured": measured.reset_index(drop=True),
        "splits": _splits(case, rows),
        "curation": _curation(context, everyone),
        **own,
    }


def _leaks(case: UseCase, rows: list[Row], progress: Progress) -> dict[str, Column]:
    """The columns of the leakage gate, as long as the rows: None, or the origin of a row of an earlier split."""
    spec = case.spec
    texts, groups = [row.text for row in rows], [row.group for row in rows]
    splits, origins = [row.split or "" for row in rows], [row.origin for row in rows]
    exact = same(list(forms(texts)), splits, origins)
    almost = near(texts, splits, origins, spec.curate.near_duplicate_similarity, progress)
    if spec.data.test_file is not None:
        # The user who gave the test rows decided which groups are in test.
        groups = [None if split == "test" else group for group, split in zip(groups, splits, strict=True)]
    return {
        "same_text_in_other_split": exact,
        # A text that repeats exactly is reported once.
        "near_text_in_other_split": [None if a else b for a, b in zip(exact, almost, strict=True)],
        "group_in_other_split": same(groups, splits, origins),
    }


def _splits(case: UseCase, rows: Sequence[Row]) -> pd.DataFrame:
    """Rows of each split that have something to be measured by."""
    import pandas as pd

    counts = Counter(row.split for row in rows if any(case.task.names_in(row.label)))
    found = [counts[split] for split in SPLITS]
    return pd.DataFrame(
        {"split": list(SPLITS), "rows": found, COUNTS: [f"{s} ({n} rows)" for s, n in zip(SPLITS, found, strict=True)]}
    )


def _curation(context: Context, everyone: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    dropped, leaked = _dropped(context)
    read = dropped + len(everyone)
    dropped_share = dropped / read if read else 0.0
    tests = int((everyone["split"] == "test").sum())
    leaked_share = leaked / tests if tests else 0.0
    summary = f"{dropped:,} of {read:,} rows dropped ({share(dropped_share)})"
    if context.case.spec.data.test_file is not None:
        summary += f"; {leaked:,} of {tests:,} test rows leaked ({share(leaked_share)})"
    return pd.DataFrame({"dropped_share": [dropped_share], "leaked_test_share": [leaked_share], COUNTS: [summary]})


def _dropped(context: Context) -> tuple[int, int]:
    """Rows that curation dropped, and distinct test rows they (nearly) repeated."""
    file = context.inputs.folder("curate/dropped.jsonl")
    if not file.is_file():
        raise MissingInputError(f"{context.shown(file)}: not there", f"tailtune curate {context.case.name}")
    count = 0
    leaked: set[str] = set()
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            count += 1
            row = json.loads(line)
            if row["reason"] in LEAK_REASONS:
                leaked.update(row["of"])
    return count, len(leaked)


def same(keys: Sequence[Hashable | None], splits: Sequence[str], origins: Sequence[str]) -> Column:
    """Where each key also occurs in an earlier split.

    Args:
        keys: Of the rows, in order of splits; None for a row that has no key.
        splits: Of the rows.
        origins: Of the rows.

    Returns:
        For each row the origin of the first row of another, earlier split with its key; None without one.
    """
    first: dict[Hashable, int] = {}
    found: Column = []
    for place, key in enumerate(keys):
        earlier = place if key is None else first.setdefault(key, place)
        found.append(origins[earlier] if splits[earlier] != splits[place] else None)
    return found


def forms(texts: Sequence[str]) -> Iterator[int]:
    """A key per text, equal for texts of one normal form."""
    # 64-bit hashes of this process: a chance collision among a million texts has odds of 1 in 10 million.
    return (hash(normal(text)) for text in texts)


def near(
    texts: Sequence[str], splits: Sequence[str], origins: Sequence[str], similarity: float, progress: Progress
) -> Column:
    """Where a near-duplicate of each text occurs in an earlier split, in the same order and form as `same`."""
    index = NearDuplicates(texts, similarity, lambda done: progress.at(done, len(texts), "rows sketched"))
    found: Column = []
    entered = 0
    for place, split in enumerate(splits):
        if place and splits[place - 1] != split:
            for row in range(entered, place):
                index.enter(row)
            entered = place
        if place % _TICK_ROWS == 0:
            progress.at(place, len(texts), "rows compared over splits")
        others = index.of(place) if entered else []
        found.append(origins[others[0]] if others else None)
    return found
