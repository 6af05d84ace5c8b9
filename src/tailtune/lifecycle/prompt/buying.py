"""Buy answers of one rung, batch by batch, until what they are bought for is settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tailtune.config.model import TargetsSpec
from tailtune.config.prompting import PromptSpec
from tailtune.core.errors import BudgetReachedError, PartlyAnsweredError
from tailtune.core.records import Answer, Row
from tailtune.core.reports import Settled
from tailtune.judge.sequential import Look, look
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted

Outcomes = NDArray[np.int64]  # items right, wrong and missed of each row, shape (n, 3)
Scorer = Callable[[Sequence[Row], Sequence[Answer]], Outcomes]


class Side(Protocol):
    """One side of a comparison."""

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
class Bought:
    """One per prompted rung: its answers to the first of the rows, bought as far as they were needed.

    Attributes:
        rung: Who answers.
        rows: All rows that may be bought, in order.
        scorer: Scores answers of rows.
        tell: Called after every batch.
        settled: Why buying for its own sake stopped.
        seen: Its last look.
    """

    rung: Prompted
    rows: Sequence[Row]
    scorer: Scorer
    tell: Callable[[Bought], None]
    asked: list[PromptAnswer] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    settled: Settled = "all rows"
    seen: Look | None = None

    @property
    def count(self) -> int:
        """Rows bought."""
        return len(self.asked)

    @property
    def early(self) -> bool:
        """Whether buying stopped before the last row by what the answers said: then only a sequence is valid."""
        return self.count < len(self.rows) and self.settled != "budget"

    def upto(self, rows: int) -> Outcomes:
        """Outcomes of the first rows, the missing ones bought.

        Raises:
            BudgetReachedError: The money ran out before; what was answered is kept here.
        """
        while self.count < rows:
            wanted = self.rows[self.count : rows]
            asked, spent = _ask(self.rung, wanted)
            self._keep(wanted[: len(asked)], asked)
            self.tell(self)
            if spent is not None:
                raise spent
        return self.outcomes[:rows]

    def _keep(self, rows: Sequence[Row], asked: Sequence[PromptAnswer]) -> None:
        if rows:
            self.asked += asked
            fresh = self.scorer(rows, [one.answer for one in asked])
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

    best: Side | None
    most_items: int
    needed: float
    alpha: float
    targets: TargetsSpec
    spec: PromptSpec


def buy(bought: Bought, question: Question) -> None:
    """Buy until a look says that it is settled, or the rows end.

    The best rung so far is bought as far as this one, so that every look is paired.

    Raises:
        BudgetReachedError: The money ran out; `bought.settled` says so.
    """
    spec, most = question.spec, len(bought.rows)
    rows = 0
    try:
        while rows < most:
            rows = min(most, rows + spec.batch_rows if rows else max(spec.min_rows, spec.batch_rows))
            outcomes = bought.upto(rows)
            best = None if question.best is None else question.best.upto(rows)
            bought.seen = _look(outcomes, best, question)
            if spec.stop == "settled" and bought.seen.settled is not None:
                bought.settled = bought.seen.settled if rows < most else "all rows"
                return
    except BudgetReachedError:
        bought.settled = "budget"
        raise


def _look(outcomes: Outcomes, best: Outcomes | None, question: Question) -> Look:
    return look(
        outcomes,
        best,
        most_items=question.most_items,
        needed=question.needed,
        target=question.targets.quality,
        min_effect=question.targets.min_effect,
        alpha=question.alpha,
    )


def _ask(rung: Prompted, rows: Sequence[Row]) -> tuple[list[PromptAnswer], PartlyAnsweredError | None]:
    """Answers to the first of the rows, and the end of the money where it came before the last."""
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
    """Quality over the rows, 0 to 1; NaN when nothing was given nor wanted."""
    right, wrong, missed = outcomes.sum(axis=0)
    size = 2 * right + wrong + missed
    return float(2 * right / size) if size else float(np.nan)
