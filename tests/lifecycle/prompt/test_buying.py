"""Rows are bought in batches, and no further than the question needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tailtune.config.prompting import EMBEDDED, LanguageModelSpec, PromptSpec
from tailtune.core.errors import BudgetReachedError, PartlyAnsweredError, TimeReachedError
from tailtune.core.language import Reply
from tailtune.core.records import Answer, Row
from tailtune.lifecycle.prompt.buying import Bought, Deadline, Known, Question, buy
from tailtune.predictors.prompted.rung import PromptAnswer
from tailtune.tasks.classification.config import ClassificationTargets

ROWS = [Row(f"{i:04}", f"text {i}", "yes", f"rows.jsonl:{i}") for i in range(600)]


@dataclass
class Scripted:
    """A rung that is right on every row but those named, and whose money may end."""

    wrong: Sequence[int] = ()
    money: int = 10_000
    asked_for: list[int] = field(default_factory=list)
    name: str = "lm_zero_shot"
    spec: LanguageModelSpec = EMBEDDED

    def ask(self, texts: Sequence[str]) -> list[PromptAnswer]:
        places = [int(text.split()[1]) for text in texts]
        made = {}
        for at, place in enumerate(places):
            if self.money == 0:
                raise PartlyAnsweredError("no money", "raise it", made)
            self.money -= 1
            self.asked_for.append(place)
            value = "no" if place in self.wrong else "yes"
            made[at] = PromptAnswer(Answer(value, float("nan"), 0.001), Reply(value, "stop", 10, 1, usd=0.001))
        return list(made.values())

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        return [reply.answer for reply in self.ask(texts)]


def score(rows: Sequence[Row], answers: Sequence[Answer]) -> Any:
    right = np.array([answer.value == row.label for row, answer in zip(rows, answers, strict=True)])
    return np.stack([right, ~right, ~right], axis=1).astype(np.int64)


def outcomes(share: float, rows: int = len(ROWS)) -> Any:
    right = (np.arange(rows) % 100) < share * 100
    return np.stack([right, ~right, ~right], axis=1).astype(np.int64)


def bought(rung: Scripted, heard: list[int] | None = None) -> Bought:
    tell = (lambda purchase: heard.append(purchase.count)) if heard is not None else (lambda purchase: None)
    return Bought(rung, ROWS, score, tell)  # type: ignore[arg-type]


def question(best: Known | Bought | None, **changes: Any) -> Question:
    spec = PromptSpec(batch_rows=50, min_rows=100, **changes)
    targets = ClassificationTargets(accuracy=0.9)
    return Question(best=best, most_items=1, needed=1 - 0.1 / 1.5, alpha=0.01, targets=targets, spec=spec)


def every(nth: int) -> list[int]:
    return list(range(0, len(ROWS), nth))


def test_a_rung_that_is_far_off_stops_after_the_first_looks() -> None:
    purchase, heard = bought(Scripted(every(2)), heard := []), heard
    buy(purchase, question(Known(outcomes(0.9))))
    assert purchase.settled == "not better"
    assert purchase.early and purchase.count == heard[-1] < 300
    assert heard[0] == 100, "the first look needs min_rows"
    assert purchase.seen is not None and purchase.seen.quality.rows == purchase.count


def test_a_rung_that_stays_stops_too() -> None:
    purchase = bought(Scripted())
    buy(purchase, question(Known(outcomes(0.5))))
    assert purchase.settled == "stays" and purchase.count < len(ROWS)


def test_an_open_question_buys_every_row() -> None:
    purchase = bought(Scripted(every(11)))
    buy(purchase, question(Known(outcomes(0.91))))
    assert (purchase.settled, purchase.count, purchase.early) == ("all rows", len(ROWS), False)


def test_never_stopping_buys_every_row() -> None:
    purchase = bought(Scripted(every(2)))
    buy(purchase, question(Known(outcomes(0.9)), stop="never"))
    assert (purchase.settled, purchase.count) == ("all rows", len(ROWS))


def test_no_row_is_asked_twice_and_the_order_is_kept() -> None:
    rung = Scripted(every(11))
    purchase = bought(rung)
    buy(purchase, question(Known(outcomes(0.91))))
    assert rung.asked_for == list(range(len(ROWS)))


def test_the_best_before_is_bought_as_far_as_its_rival() -> None:
    first = bought(Scripted(every(2)))
    buy(first, question(None))
    short = first.count
    assert first.settled == "falls short" and short < len(ROWS)
    rival = bought(Scripted(every(2)))
    buy(rival, question(first))
    assert first.count >= rival.count > short, "no look may compare different rows"
    assert first.settled == "falls short", "why it stopped for its own sake stays"


def test_what_was_bought_before_the_money_ended_is_kept() -> None:
    purchase = bought(Scripted(every(11), money=130))
    with pytest.raises(BudgetReachedError):
        buy(purchase, question(Known(outcomes(0.91))))
    assert (purchase.settled, purchase.count, len(purchase.outcomes)) == ("budget", 130, 130)
    assert not purchase.early


def test_money_that_ends_before_the_first_row_leaves_nothing() -> None:
    purchase = bought(Scripted(money=0))
    with pytest.raises(BudgetReachedError):
        buy(purchase, question(Known(outcomes(0.91))))
    assert (purchase.settled, purchase.count) == ("budget", 0)


def test_answers_after_a_gap_do_not_count_as_bought() -> None:
    @dataclass
    class Gap(Scripted):
        def ask(self, texts: Sequence[str]) -> list[PromptAnswer]:
            whole = super().ask(texts)
            raise PartlyAnsweredError("no money", "raise it", {0: whole[0], 1: whole[1], 3: whole[3]})

    purchase = bought(Gap())
    with pytest.raises(BudgetReachedError):
        buy(purchase, question(None))
    assert purchase.count == 2


def test_a_model_on_this_machine_stops_when_its_time_is_over() -> None:
    rung, seconds = Scripted(every(2)), itertools.count()
    purchase = bought(rung)
    purchase.deadline = Deadline(at_s=30, clock=lambda: float(next(seconds)))  # a second an answer
    with pytest.raises(TimeReachedError, match=r"prompt\.max_minutes"):
        buy(purchase, question(Known(outcomes(0.9))))
    assert (purchase.settled, purchase.count, purchase.early) == ("time", 30, False)
    assert rung.asked_for == list(range(30))
    purchase.deadline.at_s = math.inf
    assert len(purchase.upto(40)) == 40, "a limit that is lifted lets it go on"


def test_rows_that_must_not_fail_take_of_the_same_time() -> None:
    rung, seconds = Scripted(), itertools.count()
    purchase, texts = bought(rung), [row.text for row in ROWS[500:]]
    purchase.deadline = Deadline(at_s=30, clock=lambda: float(next(seconds)))  # a second an answer
    assert [answer.value for answer in purchase.answer(texts[:10])] == ["yes"] * 10
    with pytest.raises(TimeReachedError):
        buy(purchase, question(Known(outcomes(0.9))))
    assert purchase.count == 20
    with pytest.raises(TimeReachedError, match=r"prompt\.max_minutes"):
        purchase.answer(texts)
    assert rung.asked_for == [*range(500, 510), *range(20)]
