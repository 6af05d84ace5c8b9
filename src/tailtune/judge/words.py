"""Words that became more or less frequent: to tell people what texts are about now, never to raise an alarm by."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tailtune.core.monitored import MovedWord

_WORD = re.compile(r"<\w+>|[^\W\d_][\w'’-]{2,}")
_PRIOR_TEXTS = 500.0
_CLEAR = 4.0


@dataclass(frozen=True)
class WordCounts:
    """One per set of texts: in how many of them each word stands.

    Attributes:
        texts: How many there are.
        of: Word, in lower case → texts that have it.
    """

    texts: int
    of: Mapping[str, int]

    @classmethod
    def in_texts(cls, texts: Iterable[str]) -> WordCounts:
        """Count them."""
        counts, rows = Counter[str](), 0
        for text in texts:
            rows += 1
            counts.update({word.lower() for word in _WORD.findall(text)})
        return cls(rows, counts)


def moved_words(
    then: WordCounts, today: WordCounts, most: int = 12, clear: float = _CLEAR, prior_texts: float = _PRIOR_TEXTS
) -> tuple[MovedWord, ...]:
    """Words whose share of texts has changed most clearly, the clearest first.

    The log-odds ratio of a word's share of texts, with what both have in common as prior, over its standard error
    (Monroe, Colaresi and Quinn 2008, "Fightin' words"). With thousands of words four standard errors are seldom chance.

    Args:
        then: Of the reference.
        today: Of the window.
        most: How many at most.
        clear: Standard errors from which on a word counts.
        prior_texts: How many texts the prior is worth.
    """
    before, now = then.texts, today.texts
    if not before or not now:
        return ()
    found: list[tuple[float, MovedWord]] = []
    for word in then.of.keys() | today.of.keys():
        first, second = then.of.get(word, 0), today.of.get(word, 0)
        prior = prior_texts * (first + second) / (before + now)
        rest = prior_texts - prior + 1  # a word may stand in every text
        with_now, with_before = second + prior, first + prior
        without_now, without_before = now - second + rest, before - first + rest
        error = math.sqrt(1 / with_now + 1 / with_before + 1 / without_now + 1 / without_before)
        errors = math.log(with_now / without_now * without_before / with_before) / error
        if abs(errors) >= clear:
            found.append((abs(errors), MovedWord(word=word, before=first / before, now=second / now)))
    found.sort(key=lambda each: (-each[0], each[1].word))
    return tuple(word for _, word in found[:most])
