"""What a file's answers cost: each that is paid for counts once, whatever was kept and whoever was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from predictors.prompted.scripted import CODEC, SHOWING, SPEC, Scripted, reply

from tailtune.core.errors import PartlyAnsweredError
from tailtune.core.language import Ask, OnReply, Reply
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.serving.batch.kept import EarlierRuns
from tailtune.serving.batch.version import in_blocks


class Keeping(Scripted):
    """Answers for 1 dollar each, and keeps what it answered, as an endpoint with a file of answers does."""

    def __init__(self, kept: Sequence[str] = (), money: int | None = None) -> None:
        super().__init__(lambda ask: replace(reply('{"label": "login"}'), usd=1.0), money=money)
        self._kept = set(kept)

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        texts = [ask.messages[-1].content.split("\n")[1] for ask in asks]
        kept = [text in self._kept or text in texts[:place] for place, text in enumerate(texts)]
        self._kept.update(texts)
        return [replace(answer, from_cache=was) for answer, was in zip(super().ask(asks), kept, strict=True)]


def costs(model: Scripted, blocks: Sequence[list[str]], before: EarlierRuns) -> list[list[float | None]]:
    """Of each row of each block."""
    prompted = Prompted("lm_zero_shot", SHOWING, CODEC, SPEC, NoExamples(), _opened=[model])
    return [[answer.usd for answer in block] for block in in_blocks(blocks, prompted, (), False, before)]


def test_a_row_that_stands_twice_is_paid_once() -> None:
    assert costs(Keeping(), [["one", "two", "one"], ["two", "three"]], EarlierRuns()) == [[1, 1, 0], [0, 1]]


def test_what_was_kept_before_costs_nothing() -> None:
    assert costs(Keeping(kept=["one", "two"]), [["one"], ["two", "three"]], EarlierRuns()) == [[0], [0, 1]]


def test_what_the_run_that_was_cut_off_has_paid_for_counts_towards_the_limit() -> None:
    model = Keeping(kept=["one", "three"])
    assert costs(model, [["one", "one", "two"], ["three"]], EarlierRuns(2.0, any=True)) == [[1, 0, 1], [0]]


def test_answers_that_could_be_paid_are_given_out() -> None:
    prompted = Prompted("lm_zero_shot", SHOWING, CODEC, SPEC, NoExamples(), _opened=[Scripted(["login"], money=1)])
    blocks = in_blocks([["one", "two"]], prompted, (), False, EarlierRuns())
    assert [answer.answer for answer in next(blocks)] == ["login"]
    with pytest.raises(PartlyAnsweredError):
        next(blocks)
