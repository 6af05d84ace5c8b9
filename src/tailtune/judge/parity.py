"""Whether an exported model may stand in for the one it was made of.

What is counted is the smallest thing that somebody reads: a label, or a field of an object. Of fields those count that
one of the two models fills: what both leave empty would make every schema pass that has enough of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tailtune.core.figures import points_with_interval, share
from tailtune.core.records import Decision, Estimate
from tailtune.judge.counted import Counted
from tailtune.judge.intervals import interval
from tailtune.judge.shares import share_of

LEAST_SAME, MOST_LOST = 0.99, 0.003
"""Share of answers that are the same at least; what may be lost on dev at most, 0 to 1."""
Parts = Mapping[str, Any]
"""Part of an answer → its value: a label alone, or the fields that an object fills."""


def same_parts(before: Sequence[Parts], after: Sequence[Parts]) -> Estimate:
    """Share of parts that have the same value; the parts of one text are not independent.

    Args:
        before: What the original answered to each text.
        after: What the exported model answered.
    """
    names = [first.keys() | second.keys() for first, second in zip(before, after, strict=True)]
    same = [
        sum(name in first and name in second and first[name] == second[name] for name in parts)
        for parts, first, second in zip(names, before, after, strict=True)
    ]
    sizes = [len(parts) for parts in names]
    if not any(sizes):  # nobody has found anything
        return share_of(len(before), len(before))
    return interval(Counted.ratio(np.array(same), np.array(sizes)))


def same_wholly(before: Sequence[Parts], after: Sequence[Parts]) -> Estimate:
    """Share of texts whose answers are the same in every part."""
    return share_of(sum(first == second for first, second in zip(before, after, strict=True)), len(before))


def cannot_pass(same: Estimate) -> bool:
    """Whether so few answers are the same that more texts need not be compared.

    Args:
        same: Share of parts that are the same, of the texts compared until now.
    """
    return same.high < LEAST_SAME


def same_enough(same: Estimate, difference: Estimate, wholly: Estimate | None = None) -> Decision:
    """Compare a model's answers with those of the model it was exported from.

    Args:
        same: Share of parts that are the same.
        difference: Measure of the target on dev, exported − original, paired.
        wholly: Share of texts whose answers are the same in every part; None where an answer has one part.
    """
    texts = f"the same answer on {share(same.value)} of {same.rows:,} texts"
    if wholly is not None:
        objects = f"{share(wholly.value)} of {wholly.rows:,} objects in every field"
        texts = f"the same value in {share(same.value)} of fields with one ({objects})"
    dev = f"{points_with_interval(difference)} on dev"
    if same.value < LEAST_SAME:
        return Decision(yes=False, reason=f"{texts}, less than {share(LEAST_SAME)}; {dev}")
    if difference.value < -MOST_LOST:
        return Decision(yes=False, reason=f"{dev}, more than {MOST_LOST * 100:.1f} points lost; {texts}")
    return Decision(yes=True, reason=f"{texts}; {dev}")
