"""What was dropped, and why: nothing vanishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.records import Split
from tailtune.core.reports import DroppedExample

# Reason → what it means, in the order in which a row meets them; a task's own come after too_long.
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
_BEFORE_OWN = 3


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
    """One per curation: every dropped row, in the order in which rows were dropped.

    Attributes:
        reasons: The reasons there are, those of the task among them.
    """

    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)
    rows: list[Dropped] = field(default_factory=list)

    @classmethod
    def of(cls, own: Mapping[str, str]) -> Drops:
        """An empty one that knows a task's own reasons too."""
        first, rest = list(REASONS)[:_BEFORE_OWN], list(REASONS)[_BEFORE_OWN:]
        return cls({**{r: REASONS[r] for r in first}, **own, **{r: REASONS[r] for r in rest}})

    def add(self, dropped: Dropped) -> None:
        """Count a dropped row."""
        if dropped.reason not in self.reasons:
            raise ValueError(f"unknown reason {dropped.reason}; expected one of {', '.join(self.reasons)}")
        self.rows.append(dropped)

    def counts(self) -> dict[str, int]:
        """Reason → rows, reasons that occurred, in the order in which a row meets them."""
        counts = Counter(row.reason for row in self.rows)
        return {reason: counts[reason] for reason in self.reasons if counts[reason]}

    def examples(self) -> tuple[DroppedExample, ...]:
        """The first five of each reason."""
        shown: dict[str, list[DroppedExample]] = {reason: [] for reason in self.reasons}
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
