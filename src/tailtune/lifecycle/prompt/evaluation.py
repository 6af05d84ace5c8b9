"""One evaluation of all prompted rungs: the order in which they are bought, and the best one so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from tailtune.config.prompting import LanguageModelSpec, most_minutes, most_rows
from tailtune.core.errors import BudgetReachedError, TimeReachedError
from tailtune.core.figures import share, usd
from tailtune.core.measures import MEASURES
from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Row
from tailtune.core.reports import LadderReport, Settled
from tailtune.judge.constraints import Targets, needed, stays
from tailtune.judge.evidence import STRONGER
from tailtune.lifecycle.evidence import STRONG, candidates_of, line_of, targets_of
from tailtune.lifecycle.must_not_fail import tried
from tailtune.lifecycle.prompt.buying import (
    Bought,
    Deadline,
    Known,
    Outcomes,
    Question,
    RungOutcomes,
    buy,
    micro_f1,
    result,
)
from tailtune.lifecycle.prompt.make import NotMade, RungFactory
from tailtune.lifecycle.prompt.search import OPTIMISED
from tailtune.predictors.prompted.costs import remarks, unusable
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved

ERROR = 0.05
"""Error probability of all interim analyses of all rungs together."""
SETTLED: dict[Settled, str] = {
    "stays": "it meets the target with head-room",
    "falls short": "it cannot reach what is needed",
    "better": "it is better than the best before it, and short of what is needed",
    "not better": "it is not better than the best before it",
    "all rows": "all rows are bought",
    "budget": "the spending limit is reached",
    "time": "its share of the minutes is over",
}


@dataclass(frozen=True)
class BestRung:
    """One per rung that is or was the best so far.

    Attributes:
        answers: Gives its answers to the rows, as far as they are known.
        rows: That it has answers to, or can have.
    """

    name: str
    outcomes: RungOutcomes
    answers: Callable[[], Sequence[Answer]]
    rows: int


@dataclass
class PromptEvaluation:
    """One per stage run.

    Attributes:
        factory: Makes rungs.
        rows: Dev rows in the order in which they are bought.
        bought: Rung → its answers, in the order of the spec.
        against: Rung → the best one before it.
        not_needed: Rung → why it was not bought.
        unmeasured: What could not be measured, with the reason.
        unusable: Rung → its answers, of which most could not be used: they are counted, and it is not measured.
        stopped: Those of `not_needed` that could have been made; a rung before them that stays made them needless.
        left_out: Rung → why the embedded model is not asked for it.
        deadline: Of models on this machine.
    """

    factory: RungFactory
    rows: Sequence[Row]
    bought: dict[str, Bought] = field(default_factory=dict)
    against: dict[str, BestRung] = field(default_factory=dict)
    not_needed: dict[str, str] = field(default_factory=dict)
    unmeasured: list[str] = field(default_factory=list)
    unusable: dict[str, Bought] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    deadline: Deadline = field(default_factory=Deadline)
    _taken_s: float = 0.0  # by models on this machine

    def run(self, ladder: LadderReport) -> None:
        """Buy rung after rung until nothing more can change the verdict, or the money ends."""
        spec = self.factory.context.case.spec.prompt
        self._best = self._local_best = self._local(ladder)
        self.left_out = self.factory.left_out()
        rungs = [name for name in spec.rungs if name not in self.left_out]
        for place, name in enumerate(rungs):
            try:
                self._buy(name, rungs[place:])
            except BudgetReachedError:
                limit = f"the limit of {usd(spec.max_cost_usd)} (prompt.max_cost_usd) is reached"
                self.unmeasured += [f"{saved.title(name)}: {limit}{self._after(name)}"]
                self.unmeasured += [f"{saved.title(other)}: {limit}" for other in rungs[place + 1 :]]
                break
            if name in self.bought and self._stays(name) and spec.stop == "settled":
                for other in rungs[place + 1 :]:
                    self._skip(other, f"{saved.title(name)} meets the target with head-room")
                    if not self.factory.lacking(other):
                        self.stopped.append(other)
                break
        self._drop_empty()
        self._drop_unusable()

    def _after(self, name: str) -> str:
        """After how many rows a limit was reached, as the end of a sentence; empty where there were none."""
        cut = self.bought.get(name)
        return f" after {cut.count:,} of {len(cut.rows):,} rows" if cut and cut.count else ""

    @cached_property
    def _targets(self) -> Targets:
        return targets_of(self.factory.context.case.spec.targets, self.factory.context.inputs.report(LadderReport))

    def _stays(self, name: str) -> bool:
        """Whether the decision will find that it stays, as one of the rungs looked at until now."""
        found = result(self.factory.context.case, name, self.bought[name], None, None)
        ladder = self.factory.context.inputs.report(LadderReport)
        measured = [bought for bought in self.bought.values() if not unusable(bought.answered, bought.rung.spec)]
        looks = len(candidates_of(ladder)) + sum(not math.isnan(micro_f1(bought.outcomes)) for bought in measured)
        return stays(found, self._targets, line_of(ladder.rungs), looks)

    def _skip(self, name: str, why: str) -> None:
        self.not_needed[name] = why
        self.factory.context.progress.say(f"{saved.title(name)}: not needed, {why}")

    def _drop_empty(self) -> None:
        """Rungs that a limit cut short too early say nothing: they are named as not measured.

        Money buys rows for a first analysis at least; time, which is short where answers are long, a tenth of them.
        """
        enough = self.factory.context.case.spec.prompt.min_rows
        for name, bought in list(self.bought.items()):
            least = min(enough // 10 if bought.settled == "time" else enough, len(bought.rows))
            if bought.count < max(1, least):
                del self.bought[name]

    def _drop_unusable(self) -> None:
        """Rungs that were hardly measured: not bad, but cut off, refused or not understood."""
        for name, bought in list(self.bought.items()):
            why = unusable(bought.answered, bought.rung.spec)
            if why:
                self.unusable[name] = self.bought.pop(name)
                self.unmeasured.append(f"{saved.title(name)}: {why}")

    def _buy(self, name: str, rungs: Sequence[str]) -> None:
        """Buy a rung, the first of those that are left."""
        case = self.factory.context.case
        rung = self._made(name, rungs)
        if isinstance(rung, NotMade):
            if rung.lacking:
                undeclared = name == STRONG and case.spec.prompt.model("strong") is None
                self.unmeasured.append(STRONGER if undeclared else f"{saved.title(name)}: {rung.why}")
            else:
                self._skip(name, rung.why)
            return
        rows = self.rows[: most_rows(case.spec.prompt, rung.spec, case.task.most_items())]
        bought = Bought(rung, rows, self._score, self._show, self.deadline)
        self.bought[name] = bought
        best = self.against[name] = self._best if self._best.rows >= len(rows) else self._local_best
        question = Question(
            best=best.outcomes,
            most_items=case.task.most_items(),
            needed=needed(self._targets),
            alpha=ERROR / len(case.spec.prompt.rungs),
            targets=case.spec.targets,
            spec=case.spec.prompt,
        )
        with self._timed(rung.spec, rungs):
            try:
                bought.must = tried(self.factory.context, bought.answer)
                buy(bought, question)
            except TimeReachedError:
                minutes = most_minutes(case.spec.prompt, rung.spec)
                limit = f"its share of {minutes:g} minutes (prompt.max_minutes) is over{self._after(name)}"
                self.unmeasured.append(f"{saved.title(name)}: {limit}")
        if not bought.count:
            del self.bought[name]
            return
        self._rank(name, bought)
        self._say(name, bought)

    def _made(self, name: str, rungs: Sequence[str]) -> Prompted | NotMade:
        """A rung that is ready to answer; the search for a prompt may take as many minutes as a rung."""
        base = self.factory.context.case.spec.prompt.model("base")
        if name != OPTIMISED or base is None:
            return self.factory.make(name, self.bought)
        with self._timed(base, [*rungs, name]):
            return self.factory.make(name, self.bought, self.deadline)

    @contextmanager
    def _timed(self, spec: LanguageModelSpec, rungs: Sequence[str]) -> Iterator[None]:
        """A rung of a model on this machine may take an equal share of the minutes that are left."""
        prompt, begun = self.factory.context.case.spec.prompt, self.deadline.clock()
        minutes = most_minutes(prompt, spec)
        if minutes is not None:
            able = [name for name in rungs if not self.factory.lacking(name)]
            self.deadline.at_s = begun + (minutes * 60 - self._taken_s) / max(1, len(able))
        try:
            yield
        finally:
            if spec.local:
                self._taken_s += self.deadline.clock() - begun
            self.deadline.at_s = math.inf

    def _rank(self, name: str, bought: Bought) -> None:
        """The best so far is replaced by one that is better by more than ties are worth, and was measured."""
        if unusable(bought.answered, bought.rung.spec):
            return
        if bought.settled == "time":
            return  # it cannot answer the rows that others are compared on
        ours, theirs = bought.outcomes, self.against[name].outcomes.upto(bought.count)
        if micro_f1(ours) - micro_f1(theirs) >= self.factory.context.case.spec.targets.min_effect:
            self._best = BestRung(name, bought, bought.answers, len(bought.rows))

    def _say(self, name: str, bought: Bought) -> None:
        """A line about a rung that was bought: quality, rows, price, why buying stopped, remarks.

        Of a rung hardly any of whose answers could be used, only why, and what was paid.
        """
        cost = known_sum(bought.usd)
        price = "cost not known" if cost is None else usd(cost)
        progress, why = self.factory.context.progress, unusable(bought.answered, bought.rung.spec)
        if why:
            progress.say(f"{saved.title(name)}: not measured, {why}; {price}")
            return
        scored = bought.seen.quality if bought.early and bought.seen is not None else None
        value = micro_f1(bought.outcomes) if scored is None else scored.value
        measure = MEASURES[self.factory.context.case.spec.metric].title
        rows = f"{bought.count:,} of {len(bought.rows):,} dev rows, {price}"
        line = f"{saved.title(name)}: {measure} {share(value)} on {rows}: {SETTLED[bought.settled]}"
        progress.say("; ".join([line, *remarks(bought.answered, bought.rung.spec)]))

    def _show(self, bought: Bought) -> None:
        spent = self.factory.models.budget.spent_usd
        paid = "" if spent is None else f", {usd(spent)} spent"
        what = f"{saved.title(bought.rung.name)}: {bought.count:,} of at most {len(bought.rows):,} rows{paid}"
        self.factory.context.progress.at(bought.count, len(bought.rows), what)

    def _score(self, rows: Sequence[Row], answers: Sequence[Answer]) -> Outcomes:
        return self.factory.context.case.task.score(rows, answers).outcomes

    def _local(self, ladder: LadderReport) -> BestRung:
        """The best local rung, from what the ladder wrote down; what ignores the text only where there is no other."""
        able = [rung for rung in ladder.rungs if not saved.ignores_text(rung.name)] or ladder.rungs
        best = max(able, key=lambda rung: rung.quality.value)
        answers = self.factory.local_answers(best.name, self.rows)
        return BestRung(best.name, Known(self._score(self.rows, answers)), lambda: answers, len(self.rows))
