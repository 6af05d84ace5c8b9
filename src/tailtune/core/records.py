"""Frozen values that floors hand to each other. Each docstring opens with its grain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Generic, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeVar

from tailtune.core.money import Usd, known_product

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Review = Literal["", "confirmed", "corrected"]

Label = TypeVar("Label", covariant=True, default=Any)
"""What a task labels its rows with; code that serves every task leaves it open."""


@dataclass(frozen=True, slots=True)
class Row(Generic[Label]):
    """One per labelled text.

    Attributes:
        id: Content hash of the raw text and label; the same row has the same id in every run.
        text: What the model reads.
        label: The expected answer, a value of its task: a label of the set, an annotation. Hashable; `str` gives the
            text that files and digests hold.
        origin: Where the row stands, `file:line`, relative to the use case's data folder.
        split: Which split it belongs to; None before the split is made.
        group: Rows of one group never part over splits; None means the row is its own group.
        review: What a person made of its label: corrected, confirmed, or empty where nobody has looked at it.
        slices: What quality is measured apart by, as (column, value); only test rows carry them.
    """

    id: str
    text: str
    label: Label
    origin: str
    split: Split | None = None
    group: str | None = None
    review: Review = ""
    slices: tuple[tuple[str, str], ...] = ()

    @property
    def reviewed(self) -> bool:
        """Whether a person has looked at this very label."""
        return bool(self.review)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One per stretch of a text that says a field's value.

    Attributes:
        start: Offset of its first character, counted in Unicode code points as Python does.
        end: Offset after its last character; above start.
        label: The field it is about.
    """

    start: int
    end: int
    label: str

    def of(self, text: str) -> str:
        """The characters it covers."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Answer:
    """One per row and predictor: what the predictor said, and what it cost.

    Attributes:
        value: The answer in its task's own writing: a label, or a JSON object; None when it was not valid (an
            unusable reply is not an error).
        confidence: Probability given to the value, 0 to 1; NaN when the predictor has none.
        usd: Price paid to somebody else for this answer (an endpoint); None when unknown, 0 for local work.
    """

    value: str | None
    confidence: float
    usd: Usd | None = 0.0

    def __eq__(self, other: object) -> bool:
        """Whether both say and cost the same; two confidences that nobody measured are equal, though NaN is not."""
        if not isinstance(other, Answer):
            return NotImplemented
        unmeasured = math.isnan(self.confidence) and math.isnan(other.confidence)
        return (self.value, self.usd) == (other.value, other.usd) and (
            unmeasured or self.confidence == other.confidence
        )

    def __hash__(self) -> int:
        return hash((self.value, self.usd))

    def columns(self) -> dict[str, str | float | None]:
        """The answer as a served model gives it: column → text or number."""
        return {"label": self.value, "confidence": self.confidence}


class Record(BaseModel):
    """A frozen value that can be written as JSON and read back, nothing unknown allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


ENOUGH_GROUPS = 20
"""Groups from which an interval over groups holds its level; with fewer it may be too narrow."""


class Estimate(Record):
    """One per measured figure: the value with its 95 % interval and the rows it was measured on."""

    value: float
    low: float
    high: float
    rows: int = Field(ge=0)
    groups: int | None = Field(None, description="Groups that the rows stand in (data.group); null when independent.")
    worth_rows: float | None = Field(
        None,
        description="Independent rows that would measure it as sharply; null when not known.",
    )

    @property
    def has_few_groups(self) -> bool:
        """Whether its rows come from so few groups that the interval may be too narrow."""
        return self.groups is not None and self.groups < ENOUGH_GROUPS

    def per(self, units: float) -> Estimate:
        """The same for one of so many units: dollars of a request from those of 1,000."""
        return self.model_copy(update={end: getattr(self, end) / units for end in ("value", "low", "high")})


class Latency(Record):
    """One per predictor: milliseconds for one row at a time, over the timed rows."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    rows: int
    p99_low_ms: float = Field(math.inf, description="Low end of p99's 95 % interval; infinite when it was not kept.")
    p99_high_ms: float | None = Field(None, description="High end; null when so few rows cannot bound it.")
    parts: dict[str, float] = Field(
        default_factory=dict,
        description="Mean milliseconds by part. Local: tokenise, infer, decode. Endpoint: connect, tls, wait (to the "
        "first byte), body, and server, the part of wait that the server itself reports.",
    )

    @property
    def p99_range(self) -> str:
        """`12.30 ms (11.9 to 14.0)`; an end that the rows cannot bound is said to be so."""
        if math.isnan(self.p99_ms):
            return "not measured"
        if math.isinf(self.p99_low_ms):
            return f"{self.p99_ms:.2f} ms"
        high = "not bounded" if self.p99_high_ms is None else f"{self.p99_high_ms:.1f}"
        return f"{self.p99_ms:.2f} ms ({self.p99_low_ms:.1f} to {high})"


class Serving(Record):
    """One per candidate on cores of our own: the cores that serve it, day and night, by volume."""

    least: int = Field(0, ge=0, description="Cores however few requests there are.")
    per_core: float | None = Field(
        None, gt=0, description="Requests a day that one core answers; null when an answer was not timed."
    )
    core_usd: Usd | None = Field(0.0, description="A core over the horizon; null when no price is declared.")

    def cores(self, per_day: float | None) -> int:
        """How many serve so many requests a day: whole ones, and never fewer than `least`."""
        if per_day is None or self.per_core is None:
            return self.least
        return max(self.least, math.ceil(per_day / self.per_core))

    def usd(self, per_day: float | None) -> Usd | None:
        """What they cost over the horizon; None when no price is declared."""
        return known_product(self.cores(per_day), self.core_usd)


class Cost(Record):
    """One per stage run: what it used and what that is worth."""

    wall_s: float = Field(ge=0, description="Seconds from start to end.")
    cpu_s: float = Field(ge=0, description="Processor seconds, children included.")
    peak_memory_mb: float = Field(ge=0, description="Largest resident memory, MiB.")
    usd: Usd | None = Field(description="wall_s at the price of the machine; null when no price is declared.")
    bought_usd: Usd | None = Field(
        0.0, description="Paid to endpoints besides; null when the cost of an answer is not known."
    )


def added(first: Cost | None, second: Cost | None) -> Cost | None:
    """What two of them used together; what is not known of one is not known of both."""
    if first is None or second is None:
        return first or second
    prices = ((first.usd, second.usd), (first.bought_usd, second.bought_usd))
    usd, bought_usd = (None if a is None or b is None else a + b for a, b in prices)
    return Cost(
        wall_s=first.wall_s + second.wall_s,
        cpu_s=first.cpu_s + second.cpu_s,
        peak_memory_mb=max(first.peak_memory_mb, second.peak_memory_mb),
        usd=usd,
        bought_usd=bought_usd,
    )


class Decision(Record):
    """One per gate: the answer with its reason."""

    yes: bool
    reason: str


FRESH_FROM = 20
"""Looks at one test set from which fresh test rows are advised."""


class Look(Record):
    """One per version that is compared on a test set: how many were compared on it, this one included."""

    number: int = Field(ge=1)
    error: float = Field(gt=0, lt=0.5, description="Probability with which this look may promote by luck, one-sided.")
    of: str = Field("this test set", description="What looks are counted of.")

    @property
    def advice(self) -> str:
        """That the test set is worn out, as words; empty before the 20th look."""
        return "fresh test rows advised" if self.number >= FRESH_FROM else ""

    @property
    def words(self) -> str:
        """`look 3 of this test set`, with the advice."""
        return f"look {self.number:,} of {self.of}" + (f", {self.advice}" if self.advice else "")
