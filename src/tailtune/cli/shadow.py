"""What is known of a challenger that answered beside the champion, unseen by clients."""

from __future__ import annotations

import json
from typing import Any

from tailtune.core.logged import Comparison, ShadowCount


def compared(counts: ShadowCount) -> Comparison:
    """The share of equal answers and, where people sent right answers, both versions' shares of them."""
    from tailtune.judge.shares import share_of

    agreement = share_of(counts.agreed, counts.rows)
    if not counts.judged:
        return Comparison(counts, agreement)
    import numpy as np

    from tailtune.judge.counted import Counted
    from tailtune.judge.intervals import difference

    right = np.array([[_same(label, answer) for answer in answers] for label, *answers in counts.judged])
    champion, challenger = (share_of(int(each.sum()), len(right)) for each in right.T)
    gained = difference(Counted.shares(right[:, 1]), Counted.shares(right[:, 0]))
    return Comparison(counts, agreement, champion, challenger, gained)


def _same(label: str, answer: str | None) -> bool:
    """Whether an answer is the right one; of objects, whatever the order of their fields."""
    if answer is None or label == answer:
        return label == answer
    first, second = _object(label), _object(answer)
    return first is not None and first == second


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
