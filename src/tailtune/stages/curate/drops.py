"""What was dropped, and why: nothing vanishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.records import Split
from tailtune.core.reports import DroppedExample

# Reason → what it means, in the order in which a row meets them.
REASONS: dict[str, str] = {
    "empty": "no text is left after cleaning",
    "too_short": "fewer characters than curate.min_chars",
    "too_long": "more characters than curate.max_chars",
    "in_test_file": "the same text stands in the given test file",
    "duplicate": "the same text with the same label stands earlier",
    "duplicate_other_label": "the same text stands earlier under another label",
    "near_test_file": "nearly the same text stands in the given test file",
    "near_duplicate": "nearly the same text stands earlier",
}
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Dropped:
    """One per dropped row.

    Attributes:
        detail: What a person needs to see why, such as `of tickets.jsonl:17`.
        of: Origins of the rows it repeats; of all its twins in the test file where it repeats test rows.
        split: `test` for a row of the given test file; None where no split had been dealt out.
    """

    origin: str
    reason: str
    detail: str
    label: str
    of: tuple[str, ...] = ()
    split: Split | None = None


@dataclass
class Drops:
    """One per curation: every dropped row, in the order in which rows were dropped."""

    rows: list[Dropped] = field(default_factory=list)

    def add(self, dropped: Dropped) -> None:
        """Count a dropped row."""
        if dropped.reason not in REASONS:
            raise ValueError(f"unknown reason {dropped.reason}; expected one of {', '.join(REASONS)}")
        self.rows.append(dropped)

    def counts(self) -> dict[str, int]:
        """Reason → rows, reasons that occurred, in the order of REASONS."""
        counts = Counter(row.reason for row in self.rows)
        return {reason: counts[reason] for reason in REASONS if counts[reason]}

    def examples(self) -> tuple[DroppedExample, ...]:
        """The first five of each reason."""
        shown: dict[str, list[DroppedExample]] = {reason: [] for reason in REASONS}
        for row in self.rows:
            if len(shown[row.reason]) < _EXAMPLES:
                shown[row.reason].append(DroppedExample(origin=row.origin, reason=row.reason, detail=row.detail))
        return tuple(example for examples in shown.values() for example in examples)

    def leaked_test_rows(self) -> int:
        """Distinct rows of the given test file that (nearly) stood in the training file too."""
        leaks = ("in_test_file", "near_test_file")
        return len({origin for row in self.rows if row.reason in leaks for origin in row.of})

    def as_json(self) -> Iterator[dict[str, Any]]:
        """The lines of dropped.jsonl."""
        for row in self.rows:
            yield {
                "origin": row.origin,
                "reason": row.reason,
                "detail": row.detail,
                "label": row.label,
                "split": row.split,
                "of": list(row.of),
            }
