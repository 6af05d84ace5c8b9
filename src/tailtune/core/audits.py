"""An audit as plain values: the rows that were drawn, and what the labelled ones say."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.records import Decision, Estimate, Record


class AuditRow(Record):
    """One per row that a person is to label."""

    id: str = Field(description="Of the audit and the row's place in it.")
    request_id: str
    row: int = Field(ge=0, description="Its place in that request.")
    at_us: int | None = Field(
        None, description="When it was answered, microseconds since 1970 (UTC); null in audits kept without it."
    )
    stratum: int = Field(ge=0, description="Range of confidence that it was drawn from, the lowest first.")
    weight: float = Field(gt=0, description="Rows of the window that it stands for.")
    answer: str | None = Field(description="Null where there was no usable one.")
    confidence: float | None


class Audit(Record):
    """One per draw: a version's rows in a window, and those among them that are to be labelled."""

    id: str
    use_case: str
    version: str
    first_day: int = Field(description="Of the window, days since 1970-01-01 (UTC).")
    last_day: int = Field(description="Of the window, included.")
    is_over: bool = Field(True, description="Whether the last day was over; else its rows so far were drawn from.")
    window_rows: int = Field(description="Rows that could be drawn: the version's own, whose text was kept.")
    drawn_before: int = Field(0, description="Rows that were drawn while the day went on, and are not drawn again.")
    without_text: int = Field(0, description="The version's rows whose text was not kept, which nobody can label.")
    other_rows: int = Field(0, description="Rows of the window that other versions, or no version, answered.")
    confidences: tuple[float | None, ...] = Field(
        description="Of the window's rows at even steps from lowest to highest, null where a row had none."
    )
    rows: tuple[AuditRow, ...] = Field(description="In random order.")


class Fall(Record):
    """One per audit: whether accuracy fell, and what more rows would see."""

    decision: Decision = Field(description="Whether it fell by more than the margin, with the reason.")
    p: float = Field(description="One-sided p-value.")
    visible: float | None = Field(
        None, description="Smallest fall that so many rows see in 85 % of cases; null when none."
    )
    rows_for: dict[float, int | None] = Field(
        default_factory=dict, description="Fall → rows that would see it in 85 % of cases; null where no number would."
    )


class AuditResult(Record):
    """One per audit of which rows were labelled."""

    audit: str
    labelled: int = Field(ge=1, description="Of its rows.")
    scores: dict[str, float] = Field(description="Row's id → what its answer is worth by the task's rule, 0 to 1.")
    accuracy: Estimate = Field(description="Mean score of the window's rows.")
    own: Estimate | None = Field(description="Of the version on its held-out rows; null where that is not known.")
    fall: Fall | None = Field(description="Null where the version's own accuracy is not known.")
    over_time: Estimate = Field(description="Over all audits of the version; holds at every audit at once.")
    audits: int = Field(ge=1, description="How many those are.")
    judged_at: str = Field(description="ISO 8601, UTC.")
