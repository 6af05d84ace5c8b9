"""Work that leaves no report, and yet has cost something: a stage that failed, answers asked again."""

from __future__ import annotations

from dataclasses import dataclass

from tailtune.core.records import Cost
from tailtune.core.run_plan import RunPlan, Status, cost_points, cost_tags, points

CHARGE = "tailtune.charge"
"""Tag of a run that holds nothing but a cost; its value says what for."""
_NOTICEABLE_S = 10.0


@dataclass(frozen=True)
class Charge:
    """One per piece of work without a report.

    Attributes:
        stage: Whose work it was.
        what: What became of it or what it was for, in words: `failed`, `interrupted`, `repeats`.
        cost: What it used.
        note: Why it ended, for people; holds no secret.
        status: What the UI shows.
        lost_requests: Sent to an endpoint and never answered; it may charge them, and they are not in the cost.
    """

    stage: str
    what: str
    cost: Cost
    note: str = ""
    status: Status = "FINISHED"
    lost_requests: int = 0

    @property
    def noticeable(self) -> bool:
        """Whether it is worth a run: something was or may have been bought, or the machine was used for ten seconds.

        A stage that lacks its input fails before that, and would only be litter among the runs.
        """
        return self.cost.bought_usd != 0 or self.lost_requests > 0 or self.cost.wall_s >= _NOTICEABLE_S


def plan(charge: Charge) -> RunPlan:
    """The run that it becomes: its cost under the same names as every stage's, and why it is there."""
    lost = f"{charge.lost_requests:,} requests were sent and never answered; the endpoint may charge them all the same."
    lead = "What this cost is counted in the ledger; it left no report."
    return RunPlan(
        name=f"{charge.stage}: {charge.what}",
        note="\n\n".join(part for part in (charge.note, lost if charge.lost_requests else "", lead) if part),
        metrics=cost_points(charge.cost) + points({"requests_lost": charge.lost_requests or None}),
        tags={CHARGE: charge.what, **cost_tags(charge.cost)},
        status=charge.status,
    )
