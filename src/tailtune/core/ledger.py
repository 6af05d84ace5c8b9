"""What a use case cost over its whole life: facts as MLflow holds them, and the bill that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Record

Category = Literal[
    "labelling", "prompting", "curation", "evaluation", "training", "serving", "drift", "storage", "other"
]
CATEGORIES: dict[Category, str] = {
    "labelling": "Rows labelled, and people who label.",
    "prompting": "Writing and changing prompts.",
    "curation": "Cleaning and validating rows.",
    "evaluation": "Measuring rungs, prompts, their failures and the test.",
    "training": "Fine-tuning and making versions.",
    "serving": "Answering requests.",
    "drift": "Checking that the answers are still right.",
    "storage": "Keeping rows, derived files and runs.",
    "other": "Everything else.",
}
COMPLAINT = "complaint"
"""Marks when somebody complained; the wait until a new champion is counted from there."""
PURPOSES: tuple[str, ...] = (*CATEGORIES, COMPLAINT)
"""What `tailtune cost add --for` takes."""
STAGE_CATEGORIES: dict[str, Category] = {
    "curate": "curation",
    "validate": "curation",
    "ladder": "evaluation",
    "prompt": "evaluation",
    "diagnose": "evaluation",
    "decide": "evaluation",
    "train": "training",
    "export": "training",
    "evaluate": "evaluation",
    "register": "training",
    "monitor": "drift",
    "predict": "serving",
}


class Entry(Record):
    """One per thing that cost something: a stage's machine time or bought answers, labelled rows, a person's hours."""

    at_ms: int = Field(description="When it was done, milliseconds since 1970.")
    category: Category
    what: str = Field(description="For people, e.g. train: machine.")
    usd: Usd | None = Field(description="US dollars; null when not known.")
    hours: float = Field(0.0, ge=0, description="Of a person.")
    rows: int = Field(0, ge=0, description="Rows labelled.")
    version: str | None = Field(None, description="The version it made, where that is known; else time tells.")


@dataclass(frozen=True)
class Amount:
    """One per cost that a person adds: what was used, before it is priced.

    Attributes:
        hours: Of a person.
        usd: Paid, US dollars.
        rows: Labelled; priced only when neither hours nor dollars say what they cost.
    """

    hours: float = 0.0
    usd: Usd = 0.0
    rows: int = 0


class Curated(Record):
    """One per curation that was done."""

    began_ms: int
    at_ms: int
    rows_digest: str
    rows_read: int


class Made(Record):
    """One per registered version."""

    version: str
    made_ms: int
    rows_digest: str
    quality: float | None = Field(description="On its test rows, of the measure that the target is about.")
    promoted: bool = Field(description="Whether it became champion.")


class Facts(Record):
    """One per use case: everything recorded that cost money or time."""

    entries: tuple[Entry, ...] = ()
    curated: tuple[Curated, ...] = ()
    complaints_ms: tuple[int, ...] = ()
    versions: tuple[Made, ...] = ()
    stages: tuple[str, ...] = Field((), description="Stages that ran at least once.")

    @property
    def empty(self) -> bool:
        """Whether nothing is recorded."""
        return not (self.entries or self.complaints_ms or self.versions)


class Line(Record):
    """One per category of a bill, and one for all of them."""

    known_usd: Usd = Field(0.0, description="Sum of the entries whose dollars are known.")
    unknown: int = Field(0, description="Entries whose dollars are not known.")
    hours: float = 0.0
    rows: int = 0

    @property
    def usd(self) -> Usd | None:
        """All of it; None as long as the dollars of one entry are not known."""
        return None if self.unknown else self.known_usd


class Bill(Record):
    """One per registered version, and a last one, of version null, for what came after them."""

    version: str | None
    lines: dict[Category, Line] = Field(description="Categories that have an entry.")
    total: Line
    quality: float | None = None
    gained: float | None = Field(None, description="quality − the best before; null for the first.")
    usd_per_point: Usd | None = Field(
        None, description="Of quality gained, a hundredth; null without gain or when dollars are not known."
    )
    cycle_hours: float | None = Field(
        None, description="From new rows or a complaint to the new champion; null for what did not become one."
    )


class Ledger(Record):
    """One per use case: what its versions cost, and what they brought."""

    use_case: str
    metric: str
    bills: tuple[Bill, ...] = Field(min_length=1, description="Oldest version first; the last is for what comes next.")
    lines: dict[Category, Line]
    total: Line
    unknown: tuple[str, ...] = Field((), description="Entries whose dollars are not known, as words.")
    unmeasured: tuple[str, ...] = Field((), description="What has not run yet, as sentences.")
    notes: tuple[str, ...] = Field((), description="How something was counted that could be counted otherwise.")
