"""What is known of a challenger that answered beside the champion, unseen by clients."""

from __future__ import annotations

from tailtune.core.logged import Comparison, ShadowCount
from tailtune.operations.accuracy import same


def compared(counts: ShadowCount) -> Comparison:
    """The share of equal answers and, where people sent right answers, both versions' shares of them."""
    from tailtune.judge.shares import share_of

    agreement = share_of(counts.agreed, counts.rows)
    if not counts.judged:
        return Comparison(counts, agreement)
    import numpy as np

    from tailtune.judge.counted import Counted
    from tailtune.judge.intervals import difference

    right = np.array([[same(label, answer) for answer in answers] for label, *answers in counts.judged])
    champion, challenger = (share_of(int(each.sum()), len(right)) for each in right.T)
    gained = difference(Counted.shares(right[:, 1]), Counted.shares(right[:, 0]))
    return Comparison(counts, agreement, champion, challenger, gained)
