"""Words that moved are named, and words that every text has are not."""

from __future__ import annotations

from tailtune.core.monitored import MovedWord
from tailtune.judge.words import WordCounts
from tailtune.judge.words import moved_words as moved


def moved_words(before: list[str], now: list[str]) -> tuple[MovedWord, ...]:
    return moved(WordCounts.in_texts(before), WordCounts.in_texts(now))


def test_a_word_that_has_become_frequent_is_named() -> None:
    before = [f"please help {number}" for number in range(400)]
    now = [f"please help with the fleet {number}" for number in range(60)]
    (first, *_) = moved_words(before, now)
    assert first.word == "fleet" and (first.before, first.now, first.more) == (0.0, 1.0, True)


def test_words_that_nearly_every_text_has_then_and_now_have_not_moved() -> None:
    before = ["please help with number"] * 360
    now = ["please help with number"] * 127 + ["refund"]
    assert moved_words(before, now) == ()
    assert moved_words([], now) == moved_words(before, []) == ()
