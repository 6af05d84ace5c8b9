"""Whether an exported model may stand in for the one it was made of."""

from __future__ import annotations

from tailtune.core.figures import points_with_interval, share
from tailtune.core.records import Decision, Estimate

LEAST_SAME, MOST_LOST = 0.99, 0.003
"""Share of texts with the same answer at least; what may be lost on dev at most, 0 to 1."""


def same_enough(same: Estimate, difference: Estimate) -> Decision:
    """Compare a model's answers with those of the model it was exported from.

    Args:
        same: Share of texts with the same answer.
        difference: Measure of the target on dev, exported − original, paired.
    """
    texts = f"the same answer on {share(same.value)} of {same.rows:,} texts"
    dev = f"{points_with_interval(difference)} on dev"
    if same.value < LEAST_SAME:
        return Decision(yes=False, reason=f"{texts}, less than {share(LEAST_SAME)}; {dev}")
    if difference.value < -MOST_LOST:
        return Decision(yes=False, reason=f"{dev}, more than {MOST_LOST * 100:.1f} points lost; {texts}")
    return Decision(yes=True, reason=f"{texts}; {dev}")
