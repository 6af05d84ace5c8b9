"""What is alarming about a model, as plain values: made by the monitor, kept in the outbox, drawn for people."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from tailtune.core.records import Estimate, Record

Cause = Literal["drift", "accuracy", "latency", "errors", "cost", "silent", "failed", "retrain"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
Severity = Literal["warning", "critical"]
"""In ascending order."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
MessageKind = Literal["alert", "escalation", "return", "reminder", "recovery", "outcome", "test"]
"""What a message says: there is trouble; it is worse; it is back; it is still there; it is over; a retrain has
ended; nothing, a trial."""
DeliveryState = Literal["waiting", "sent", "given up"]


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
    so_far: bool = Field(False, description="Whether it was seen in a day that was not over.")
    size: float = Field(1.0, gt=0, description="How bad it is, on the cause's own scale: half as much again is worse.")
    sure_size: float | None = Field(None, gt=0, description="Low end of size where chance is in it: surely so bad.")


class Message(Record):
    """One per message about a trouble, the same on every channel; together its two numbers name it."""

    trouble: int = Field(description="Number of the trouble: of one model, version and cause, from its first alert on.")
    number: int = Field(ge=1, description="Place among the messages about that trouble.")
    kind: MessageKind
    at_us: int = Field(description="When it was recorded, microseconds since 1970 (UTC).")
    since_us: int = Field(description="When the trouble was first seen, or seen again.")
    before: Severity | None = Field(None, description="Of an escalation: what the last message called it.")
    why: str = Field("", description="Of a recovery: why it is over.")
    alert: Alert

    @property
    def id(self) -> str:
        """Of the message: `17.2`, the second about trouble 17."""
        return f"{self.trouble}.{self.number}"


class Delivery(Record):
    """One per message and channel."""

    id: int
    message: Message
    channel: str
    state: DeliveryState
    attempts: int = Field(description="How often it was tried, a try that was cut off included.")
    made_us: int = Field(description="When it was recorded.")
    next_us: int = Field(description="When it may be tried next.")
    done_us: int | None = Field(None, description="When it was sent or given up.")
    reason: str = Field("", description="Why the last try failed.")


class Trouble(Record):
    """One per model, version and cause that was alarmed about, from the first alert until it is over."""

    id: int
    alert: Alert = Field(description="As it was last seen.")
    opened_us: int = Field(description="When it was first seen, or seen again.")
    seen_us: int = Field(description="When it was last seen.")
    looks: int = Field(description="How often it was seen.")
    cleared_us: int | None = Field(None, description="When it was over; null while it is open.")
    why: str = Field("", description="Why it is over.")
    messages: int = Field(description="How many messages there are about it.")
