"""A retrain as plain values: why it was asked for, whether it was worth it, and what came of it."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from tailtune.core.errors import UsageError
from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Record
from tailtune.core.reports import CostLine, Paired

Because = Literal["schedule", "drift", "labels", "hand"]
"""What starts a retrain: the time, drift, enough new labels, a person."""
WAYS_IN: tuple[Because, ...] = get_args(Because)
RetrainState = Literal["running", "promoted", "not promoted", "same version", "stopped", "cut off"]


PushStep = Literal["dvc", "branch", "tag"]
"""What may leave the machine after a retrain, in this order: rows and files to the DVC remote, a branch, a tag."""
PUSH_STEPS: tuple[PushStep, ...] = get_args(PushStep)


def way_in_of(word: str) -> Because:
    """A way in by its name.

    Raises:
        UsageError: There is no such one.
    """
    for way in WAYS_IN:
        if way == word:
            return way
    raise UsageError(f"{word}: no such way in; expected one of {', '.join(WAYS_IN)}", "tailtune retrain --help")


class Reckoning(Record):
    """One per question whether a retrain is worth it: what errors cost until the next chance, and what it costs."""

    then: Estimate | None = Field(description="Accuracy at registration; null where it is not known.")
    now: Estimate | None = Field(description="Accuracy now; null where it is not known.")
    now_by: str = Field("", description="How that was found: an audit, or an estimate without labels.")
    fall: Estimate | None = Field(None, description="then − now; null where either is not known.")
    requests_per_day: float | None
    requests_from: str = Field("", description="Declared, or counted in the log.")
    error_usd: Usd | None
    days: float = Field(description="Until the next chance to retrain.")
    loss: Estimate | None = Field(
        None, description="US dollars that the fall costs until then; null when not known, below 0 where it rose."
    )
    costs: tuple[CostLine, ...] = ()
    cost_usd: Usd | None = Field(None, description="Sum of the costs; null when one is not known.")
    missing: tuple[str, ...] = Field((), description="What is not known, so that nothing can be reckoned.")


class RetrainDecision(Record):
    """One per way in: whether to retrain, with the reason."""

    because: Because
    go: bool = Field(description="Whether the retrain starts.")
    reason: str
    worth_it: bool | None = Field(description="Whether the reckoning speaks for it; null where it cannot be reckoned.")
    new_labels: int = Field(ge=0, description="To learn from, that people gave since the last version.")
    reckoning: Reckoning


class Push(Record):
    """One per thing that is to leave the machine after a retrain."""

    what: PushStep
    name: str = Field(description="Of the branch or tag; of rows, the use case.")
    done: bool = False
    why: str = Field("", description="Why it is not done yet; empty before the first attempt.")


class ComparedCandidate(Record):
    """One per candidate on test: what a changed verdict is explained by."""

    name: str
    title: str
    quality: Estimate
    total_usd: Usd | None = Field(None, description="Over the horizon of the decision; null when not known.")


class RetrainOutcome(Record):
    """One per retrain that ran: what came of it."""

    use_case: str
    measure: str = Field(description="The quality measure (core/measures.py) of all figures.")
    state: RetrainState
    decision: RetrainDecision
    champion_before: str | None = Field(None, description="Version that had the alias champion; null when none had.")
    version: str | None = Field(None, description="Version that was registered; null when the life was stopped.")
    after: Estimate | None = Field(None, description="Its quality on the test rows.")
    comparison: Paired | None = Field(None, description="Against the champion before, on the same rows.")
    why: str = Field("", description="Why it was promoted or not, or what stopped it.")
    verdict_before: str = ""
    verdict_after: str = ""
    winner_before: str = Field("", description="Candidate that the champion before is; empty when none was.")
    winner_after: str = Field("", description="Candidate that the registered version is.")
    verdict_why: str = Field("", description="The reason of the verdict after.")
    candidates: tuple[ComparedCandidate, ...] = Field((), description="All that were scored on test.")
    horizon_months: int | None = Field(None, description="Over which the dollars of the candidates are.")
    cost_usd: Usd | None = Field(None, description="Machine and bought answers; null when not known.")
    result: str = Field("", description="Branch or folder that holds what changed; empty when nothing did.")
    commit: str | None = Field(None, description="Last commit of that branch; null without git, and for files.")
    pushes: tuple[Push, ...] = Field((), description="What is to leave the machine, in this order.")
    data_hash: str | None = Field(None, description="Rows that it learnt from, as data.dvc pins them.")
    proposals: str = Field("", description="Which classes are missing, in a sentence; empty where none is.")
    notes: tuple[str, ...] = ()

    @property
    def owed(self) -> tuple[Push, ...]:
        """What has not left the machine yet."""
        return tuple(push for push in self.pushes if not push.done)
