"""What is alarming about a model, as plain values: made by the monitor, kept in the outbox, drawn for people."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from tailtune.core.records import Estimate, Record

Cause = Literal["drift", "accuracy", "latency", "errors", "cost", "silent"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
Severity = Literal["warning", "critical"]
"""In ascending order."""


class Alert(Record):
    """One per model and cause, as it stands after a look; equal model and cause are the same trouble."""

    use_case: str
    version: str | None = Field(description="Registered version that it is about; null where none is known.")
    cause: Cause
    severity: Severity
    at_us: int = Field(description="When it was seen, microseconds since 1970 (UTC).")
    title: str = Field(description="One line: whose, and what is wrong.")
    moved: tuple[str, ...] = Field((), description="What moved, a sentence each, the most telling first.")
    accuracy: Estimate | None = Field(None, description="Estimated accuracy; null when it was not measured.")
    accuracy_by: str = Field("", description="How that was estimated, and what such an estimate cannot see.")
    examples: tuple[str, ...] = Field((), description="Texts of rows that show it, scrubbed.")
    links: dict[str, str] = Field(default_factory=dict, description="Name → address of what can be opened.")
    next_step: str = Field("", description="What happens next, or what to run.")
    size: float = Field(1.0, gt=0, description="How bad it is, on the cause's own scale: half as much again is worse.")
