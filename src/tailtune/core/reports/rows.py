"""What curation and validation report."""

from __future__ import annotations

from pydantic import Field, model_validator

from tailtune.core.records import Record
from tailtune.core.reports.common import Report


class DroppedExample(Record):
    """One per shown dropped row."""

    origin: str
    reason: str
    detail: str = ""


class CurateReport(Report):
    """One per curation: every row read is kept or dropped for a counted reason."""

    rows_read: int
    rows_kept: int
    dropped: dict[str, int] = Field(description="Reason → rows.")
    dropped_examples: tuple[DroppedExample, ...] = Field((), description="A few per reason; all are in dropped.jsonl.")
    changed: dict[str, int] = Field(default_factory=dict, description="What was rewritten in kept rows → rows.")
    splits: dict[str, int]
    labels: dict[str, int] = Field(
        description="Label → kept rows; field → kept rows with a value. Most frequent first."
    )
    unit: str = Field("label", description="What the keys of labels are, one of them: label, field.")
    unaligned: dict[str, int] = Field(
        default_factory=dict, description="Field → kept rows whose value was not found in the text."
    )
    test_file: bool = Field(description="True when the user gave the test split.")
    test_rows_read: int = Field(0, description="Of rows_read, those from the given test file.")
    leaked_test_rows: int = Field(0, description="Test-file rows whose text (near-)stood in the training file.")

    @model_validator(mode="after")
    def _counts_add_up(self) -> CurateReport:
        if self.rows_read != self.rows_kept + sum(self.dropped.values()):
            raise ValueError(f"{self.rows_read} rows read, but {self.rows_kept} kept and {self.dropped} dropped")
        if self.rows_kept != sum(self.splits.values()):
            raise ValueError(f"{self.rows_kept} rows kept, but splits hold {self.splits}")
        return self


class ExpectationResult(Record):
    """One per expectation of the suite."""

    name: str = Field(description="Great Expectations' type, e.g. expect_column_values_to_be_in_set.")
    subject: str = Field(description="Column or table it is about.")
    meaning: str = Field(description="One sentence a person reads.")
    passed: bool
    observed: str = ""
    bad_rows: int = 0
    bad_origins: tuple[str, ...] = Field((), description="First origins of offending rows.")


class ValidateReport(Report):
    """One per validation."""

    rows_read: int
    passed: bool
    expectations: tuple[ExpectationResult, ...]
    docs: str = Field(description="Data Docs index, relative to the project root.")
