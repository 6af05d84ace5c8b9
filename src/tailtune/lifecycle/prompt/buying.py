"""Buy answers of one rung, batch by batch, until the question is settled; then what the report says of it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tailtune.config.model import TargetsSpec
from tailtune.config.prompting import PromptSpec
from tailtune.core.errors import BudgetReachedError, PartlyAnsweredError, TimeReachedError
from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Estimate, Latency, Row
from tailtune.core.reports import RAN_OUT, Paired, PromptedRung, Settled
from tailtune.judge.economics import usd_per_1000
from tailtune.judge.scores import compare
from tailtune.judge.sequential import InterimAnalysis, interim_analysis, quality_sequence
from tailtune.judge.stats import holm
from tailtune.lifecycle.must_not_fail import Tried
from tailtune.predictors.prompted.costs import forms, latency, price, remarks
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted
from tailtune.tasks import saved
from tailtune.tasks.use_case import UseCase

Outcomes = NDArray[np.int64]  # items right, wrong and missed of each row, shape (n, 3)
Scorer = Callable[[Sequence[Row], Sequence[Answer]], Outcomes]


class RungOutcomes(Protocol):
    """Outcomes of a rung, as far as they are needed."""

    def upto(self, rows: int) -> Outcomes:
        """Outcomes of the first so many rows, shape (rows, 3)."""


@dataclass(frozen=True)
class Known:
    """One per local rung: it has answered every row already."""

    outcomes: Outcomes

    def upto(self, rows: int) -> Outcomes:
        """The first of them; nothing is bought."""
        return self.outcomes[:rows]


@dataclass
class Deadline:
    """One per stage run: until when models on this machine may be asked.

    Attributes:
        at_s: On the clock.
        clock: Seconds, from anywhere.
    """

    at_s: float = math.inf
    clock: Callable[[], float] = time.monotonic

    @property
    def passed(self) -> bool:
        """Whether nothing more may be asked."""
        return self.clock() >= self.at_s


@dataclass
class Bought:
    """One per prompted rung: its answers to the first of the rows, bought as far as they were needed.

    Attributes:
        rung: Who answers.
        rows: All rows that may be bought, in order.
        scorer: Scores answers of rows.
        on_batch: Called after every batch.
        deadline: Looked at between answers of a model on this machine; the stage's.
        answered: Answers and replies to the rows bought until now.
        outcomes: Items right, wrong and missed of these rows, shape (n, 3).
        settled: Why buying stopped.
        seen: Its last interim analysis.
        must: How it did on the rows that must not fail.
    """

    rung: Prompted
    rows: Sequence[Row]
    scorer: Scorer
    on_batch: Callable[[Bought], None]
    deadline: Deadline = field(default_factory=Deadline)
    answered: list[PromptAnswer] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    settled: Settled = "all rows"
    seen: InterimAnalysis | None = None
    must: Tried = field(default_factory=Tried)

    @property
    def count(self) -> int:
        """Rows bought."""
        return len(self.answered)

    def answers(self) -> list[Answer]:
        """The answers to these rows."""
        return [reply.answer for reply in self.answered]

    @property
    def usd(self) -> list[float | None]:
        """Cost of each answer, US dollars; None when it is not known."""
        return [reply.reply.usd for reply in self.answered]

    @property
    def early(self) -> bool:
        """Whether what the answers showed stopped buying early: then only a confidence sequence is valid."""
        return self.count < len(self.rows) and self.settled not in RAN_OUT

    def upto(self, rows: int) -> Outcomes:
        """Outcomes of the first rows, the missing ones bought.

        Raises:
            BudgetReachedError: The money ran out before; what was answered is kept here.
            TimeReachedError: The time did.
        """
        while self.count < rows:
            missing = self.rows[self.count : self.count + self._most_at_once(rows - self.count)]
            answered, spent = _ask(self.rung, missing)
            self._keep(missing[: len(answered)], answered)
            self.on_batch(self)
            if spent is not None:
                raise spent
        return self.outcomes[:rows]

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """Answers to other texts than those of the rows, in the same time.

        Raises:
            BudgetReachedError: The money ran out before the last of them.
            TimeReachedError: The time did.
        """
        answers: list[Answer] = []
        while len(answers) < len(texts):
            start = len(answers)
            answers += self.rung.answer(texts[start : start + self._most_at_once(len(texts) - start)])
        return answers

    def _most_at_once(self, missing: int) -> int:
        """How many of the missing answers are asked for before the clock is looked at again.

        Raises:
            TimeReachedError: There is no time left.
        """
        if math.isinf(self.deadline.at_s):
            return missing
        if self.deadline.passed:
            raise TimeReachedError(f"{self.rung.name}: its minutes (prompt.max_minutes) are over")
        return min(missing, self.rung.spec.concurrency)

    def _keep(self, rows: Sequence[Row], answered: Sequence[PromptAnswer]) -> None:
        if rows:
            self.answered += answered
            fresh = self.scorer(rows, [reply.answer for reply in answered])
            self.outcomes = np.concatenate([self.outcomes, fresh])


@dataclass(frozen=True)
class Question:
    """One per rung: what its answers are bought for.

    Attributes:
        best: The best rung so far; None when there is none.
        most_items: Items that a row may have at most.
        needed: Quality that a rung must show to stay.
        alpha: Error that this rung may spend.
    """

    best: RungOutcomes | None
    most_items: int
    needed: float
    alpha: float
    targets: TargetsSpec
    spec: PromptSpec


def buy(bought: Bought, question: Question) -> None:
    """Buy until an interim analysis says that it is settled, or the rows end.

    The best rung so far is bought as far as this one, so that every analysis is paired. Rows of declared groups are
    bought to the end: what an analysis concludes from them one by one would be too sure.

    Raises:
        BudgetReachedError: The money ran out; `bought.settled` says so.
        TimeReachedError: The time did; the same.
    """
    spec, most = question.spec, len(bought.rows)
    rows, alone = 0, all(row.group is None for row in bought.rows)
    try:
        while rows < most:
            rows = min(most, rows + spec.batch_rows if rows else max(spec.min_rows, spec.batch_rows))
            outcomes = bought.upto(rows)
            best = None if question.best is None else question.best.upto(rows)
            bought.seen = _analysis(outcomes, best, question)
            if spec.stop == "settled" and alone and bought.seen.settled is not None:
                bought.settled = bought.seen.settled if rows < most else "all rows"
                return
    except BudgetReachedError:
        bought.settled = "budget"
        raise
    except TimeReachedError:
        bought.settled = "time"
        raise


def _analysis(outcomes: Outcomes, best: Outcomes | None, question: Question) -> InterimAnalysis:
    return interim_analysis(
        outcomes,
        best,
        most_items=question.most_items,
        needed=question.needed,
        target=question.targets.quality,
        min_effect=question.targets.min_effect,
        alpha=question.alpha,
    )


def _ask(rung: Prompted, rows: Sequence[Row]) -> tuple[list[PromptAnswer], PartlyAnsweredError | None]:
    """Answers to the rows; where the money ends, to those before its end, and the error that says so."""
    try:
        return list(rung.ask([row.text for row in rows])), None
    except PartlyAnsweredError as out:
        kept = []
        for place in range(len(rows)):
            if place not in out.answers:
                break  # an answer after a gap is not lost: it stays in the cache
            kept.append(out.answers[place])
        return kept, out


def micro_f1(outcomes: Outcomes) -> float:
    """Quality over the rows, 0 to 1; NaN when nothing was answered and nothing expected."""
    right, wrong, missed = outcomes.sum(axis=0)
    size = 2 * right + wrong + missed
    return float(2 * right / size) if size else float(np.nan)


def result(case: UseCase, name: str, bought: Bought, version: int | None, core_hour_usd: float | None) -> PromptedRung:
    """How one rung did on the rows that were bought for it. A local model costs its processor time.

    The interval of a rung that was stopped by what its answers showed is a confidence sequence; its other measures keep
    the interval of a fixed sample.
    """
    rung, answered = bought.rung, bought.answered
    rows = list(bought.rows[: bought.count])
    scored = case.task.score(rows, bought.answers())
    metrics = dict(scored.metrics)
    if bought.early:
        metrics[next(iter(metrics))] = quality_sequence(bought.outcomes, case.task.most_items())
    metrics |= bought.must.metrics
    timed, kinds = latency(answered, rung.spec.name), forms(answered) if rung.constrained else {}
    replies = [each.reply for each in answered]
    hosted = rung.spec.local
    cost = own_price(timed, core_hour_usd) if hosted else price(bought.usd)
    return PromptedRung(
        name=name,
        title=saved.title(name),
        metrics=metrics,
        usd_per_1000=None if cost is None else cost.value,
        invalid_rows=scored.invalid_rows,
        look_alike_rows=scored.look_alike_rows,
        must_failed=bought.must.failed,
        latency=timed,
        fit_s=math.nan,  # choosing examples is not timed
        fit_rows=rung.fit_rows,
        model=rung.spec.name,
        role=rung.spec.role,
        hosted=hosted,
        prompt=rung.template.name,
        prompt_digest=rung.template.digest,
        prompt_version=version,
        constrained=set(kinds) == {"json_schema"},
        forms=kinds,
        settled=bought.settled,
        of_rows=len(bought.rows),
        usd=known_sum(bought.usd),
        usd_low=None if cost is None else cost.low,
        usd_high=None if cost is None else cost.high,
        input_tokens=_mean([None if reply.usd_estimated else reply.input_tokens for reply in replies]),
        output_tokens=_mean([None if reply.usd_estimated else reply.output_tokens for reply in replies]),
        unpriced_rows=bought.usd.count(None),
        cached_rows=sum(reply.from_cache for reply in replies),
        retries=sum(reply.retries for reply in replies),
        invalid=dict(Counter(each.problem for each in answered if each.problem)),
        examples_dropped=sum(each.examples_dropped for each in answered),
        notes=_notes(bought, kinds),
    )


def compared(case: UseCase, bought: Bought, other: Sequence[Answer], names: tuple[str, str]) -> Paired:
    """A rung against the best before it, over the first rows that both have."""
    rows = list(bought.rows[: min(bought.count, len(other))])
    task = case.task
    first, second = (task.score(rows, answers[: len(rows)]) for answers in (bought.answers(), list(other)))
    return compare(first, second, names)


def adjusted(rungs: Sequence[PromptedRung]) -> tuple[PromptedRung, ...]:
    """The same rungs, the p-values of their comparisons corrected over all of them (Holm, 1979)."""
    p_values = {rung.name: rung.comparison.p for rung in rungs if rung.comparison is not None}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return tuple(rung.model_copy(update={"p_adjusted": corrected.get(rung.name)}) for rung in rungs)


def _notes(bought: Bought, kinds: Mapping[str, int]) -> tuple[str, ...]:
    """What the model did otherwise than requested, and what it could not do; each once."""
    notes = [bought.rung.note, *(each.reply.note for each in bought.answered)]
    free = sum(rows for form, rows in kinds.items() if form != "json_schema")
    if free:
        notes.append(f"{free:,} of {sum(kinds.values()):,} answers were not held to the schema")
    return tuple(dict.fromkeys(note for note in (*notes, *remarks(bought.answered, bought.rung.spec)) if note))


def own_price(timed: Latency, core_hour_usd: float | None) -> Estimate | None:
    """US dollars for 1,000 answers of a model on this machine, one busy core; None when no price is declared."""
    value = usd_per_1000(timed.mean_ms, core_hour_usd)
    return None if value is None else Estimate(value=value, low=value, high=value, rows=timed.rows)


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
