"""Words that became more or less frequent: to tell people what texts are about now, never to raise an alarm by."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from tailtune.core.monitored import MovedWord

_WORD = re.compile(r"<\w+>|[^\W\d_][\w'’-]{2,}")
_PRIOR_TEXTS = 500.0
_CLEAR = 4.0


def moved_words(
    before: Sequence[str], now: Sequence[str], most: int = 12, clear: float = _CLEAR, prior_texts: float = _PRIOR_TEXTS
) -> tuple[MovedWord, ...]:
    """Words whose share of texts has changed most clearly, the clearest first.

    The log-odds ratio of a word's share of texts, with what both have in common as prior, over its standard error
    (Monroe, Colaresi and Quinn 2008, "Fightin' words"). With thousands of words four standard errors are seldom chance.

    Args:
        before: Texts of the reference.
        now: Texts of the window.
        most: How many at most.
        clear: Standard errors from which on a word counts.
        prior_texts: How many texts the prior is worth.
    """
    if not before or not now:
        return ()
    then, today = _texts_with(before), _texts_with(now)
    found: list[tuple[float, MovedWord]] = []
    for word in then.keys() | today.keys():
        first, second = then.get(word, 0), today.get(word, 0)
        prior = prior_texts * (first + second) / (len(before) + len(now))
        rest = prior_texts - prior + 1  # a word may stand in every text
        with_now, with_before = second + prior, first + prior
        without_now, without_before = len(now) - second + rest, len(before) - first + rest
        error = math.sqrt(1 / with_now + 1 / with_before + 1 / without_now + 1 / without_before)
        errors = math.log(with_now / without_now * without_before / with_before) / error
        if abs(errors) >= clear:
            found.append((abs(errors), MovedWord(word=word, before=first / len(before), now=second / len(now))))
    found.sort(key=lambda each: (-each[0], each[1].word))
    return tuple(word for _, word in found[:most])


def _texts_with(texts: Sequence[str]) -> Counter[str]:
    """Word → texts that have it."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({word.lower() for word in _WORD.findall(text)})
    return counts
