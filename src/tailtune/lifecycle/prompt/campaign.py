"""One run over all prompted rungs: what is asked in which order, and which is the best so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tailtune.core.errors import BudgetReachedError
from tailtune.core.figures import usd
from tailtune.core.measures import MEASURES
from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Row
from tailtune.core.reports import LadderReport, Settled
from tailtune.judge.constraints import meets_with_head_room, needed, servable
from tailtune.lifecycle.evidence import targets_of
from tailtune.lifecycle.prompt.buying import Bought, Known, Outcomes, Question, Side, buy, micro_f1
from tailtune.lifecycle.prompt.kitchen import Kitchen, NotMade
from tailtune.lifecycle.prompt.results import result
from tailtune.predictors.prompted.costs import remarks
from tailtune.tasks import saved

ERROR = 0.05
"""What all looks at all rungs together may err."""
SETTLED: dict[Settled, str] = {
    "stays": "it meets the target with head-room",
    "falls short": "it cannot reach what is needed",
    "better": "it is better than the best before it, and short of what is needed",
    "not better": "it is not better than the best before it",
    "all rows": "all rows are bought",
    "budget": "the spending limit is reached",
}


@dataclass(frozen=True)
class Standing:
    """One per rung that is or was the best so far.

    Attributes:
        answers: To the rows, as far as they are known.
    """

    name: str
    side: Side
    answers: Callable[[], Sequence[Answer]]


@dataclass
class Campaign:
    """One per stage run.

    Attributes:
        kitchen: Makes rungs.
        rows: Dev rows in the order in which they are bought.
        bought: Rung → its answers, in the order of the spec.
        against: Rung → the best one before it.
        not_needed: Rung → why it was not bought.
        unmeasured: What could not be measured, with the reason.
        stopped: Of not_needed, those that could have been made, and that a rung before them that stays made needless.
    """

    kitchen: Kitchen
    rows: Sequence[Row]
    bought: dict[str, Bought] = field(default_factory=dict)
    against: dict[str, Standing] = field(default_factory=dict)
    not_needed: dict[str, str] = field(default_factory=dict)
    unmeasured: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def run(self, ladder: LadderReport) -> None:
        """Buy rung after rung until nothing more can change the verdict, or the money ends."""
        spec = self.kitchen.context.case.spec.prompt
        self._best = self._local(ladder)
        for place, name in enumerate(spec.rungs):
            try:
                self._buy(name)
            except BudgetReachedError:
                limit = f"the limit of {usd(spec.max_cost_usd)} (prompt.max_cost_usd) is reached"
                held = self.bought.get(name)
                after = f" after {held.count:,} of {len(self.rows):,} rows" if held and held.count else ""
                self.unmeasured += [f"{saved.title(name)}: {limit}{after}"]
                self.unmeasured += [f"{saved.title(other)}: {limit}" for other in spec.rungs[place + 1 :]]
                break
            if name in self.bought and self._stays(name) and spec.stop == "settled":
                for other in spec.rungs[place + 1 :]:
                    self._skip(other, f"{saved.title(name)} meets the target with head-room")
                    if not self.kitchen.lacking(other):
                        self.stopped.append(other)
                break
        self._drop_empty()

    def _stays(self, name: str) -> bool:
        """Whether a rung is good enough, and fast and usable enough too: if not, another may still be."""
        case = self.kitchen.context.case
        found, targets = result(case, name, self.bought[name], None, None), targets_of(case.spec.targets)
        return meets_with_head_room(found.quality, targets) and servable(found, targets)

    def _skip(self, name: str, why: str) -> None:
        self.not_needed[name] = why
        self.kitchen.context.progress.say(f"{saved.title(name)}: not needed, {why}")

    def _drop_empty(self) -> None:
        """What the limit cut short before a first look says nothing: it is named as not measured, and no rung."""
        least = min(self.kitchen.context.case.spec.prompt.min_rows, len(self.rows))
        for name in [name for name, held in self.bought.items() if held.count < least]:
            del self.bought[name]

    def _buy(self, name: str) -> None:
        case = self.kitchen.context.case
        rung = self.kitchen.make(name, self.bought)
        if isinstance(rung, NotMade):
            if rung.lacking:
                self.unmeasured.append(f"{saved.title(name)}: {rung.why}")
            else:
                self._skip(name, rung.why)
            return
        held = Bought(rung, self.rows, self._score, self._tell)
        self.bought[name] = held
        self.against[name] = self._best
        question = Question(
            best=self._best.side,
            most_items=case.task.most_items(),
            needed=needed(targets_of(case.spec.targets)),
            alpha=ERROR / len(case.spec.prompt.rungs),
            targets=case.spec.targets,
            spec=case.spec.prompt,
        )
        buy(held, question)
        self._rank(name, held)
        self._said(name, held)

    def _rank(self, name: str, held: Bought) -> None:
        """The best so far is replaced by one that is better by more than ties are worth."""
        ours, theirs = held.outcomes, self._best.side.upto(held.count)
        if micro_f1(ours) - micro_f1(theirs) >= self.kitchen.context.case.spec.targets.min_effect:
            self._best = Standing(name, held, lambda: [one.answer for one in held.asked])

    def _said(self, name: str, held: Bought) -> None:
        scored = held.seen.quality if held.early and held.seen is not None else None
        value = micro_f1(held.outcomes) if scored is None else scored.value
        measure = MEASURES[self.kitchen.context.case.spec.metric].title
        cost = known_sum(one.reply.usd for one in held.asked)
        price = "cost not known" if cost is None else usd(cost)
        told = remarks(held.asked, held.rung.spec)
        bought = f"{held.count:,} of {len(held.rows):,} dev rows, {price}"
        self.kitchen.context.progress.say(
            "; ".join([f"{saved.title(name)}: {measure} {value:.1%} on {bought}: {SETTLED[held.settled]}", *told])
        )

    def _tell(self, held: Bought) -> None:
        spent = self.kitchen.models.budget.spent_usd
        paid = "" if spent is None else f", {usd(spent)} spent"
        what = f"{saved.title(held.rung.name)}: {held.count:,} of at most {len(held.rows):,} rows{paid}"
        self.kitchen.context.progress.at(held.count, len(held.rows), what)

    def _score(self, rows: Sequence[Row], answers: Sequence[Answer]) -> Outcomes:
        case = self.kitchen.context.case
        task = case.task
        return task.score(rows, answers, resamples=1).outcomes

    def _local(self, ladder: LadderReport) -> Standing:
        """The best local rung, from what the ladder wrote down."""
        best = max(ladder.rungs, key=lambda rung: rung.quality.value)
        answers = self.kitchen.local_answers(best.name, self.rows)
        return Standing(best.name, Known(self._score(self.rows, answers)), lambda: answers)
