"""The gate before champion: pure, and with its reason."""

from __future__ import annotations

from typing import Literal

from tailtune.core.records import Decision
from tailtune.core.reports import Paired


def promote(
    comparison: Paired | None,
    champion: str | None,
    rule: Literal["better", "not-worse"],
    min_effect: float,
) -> Decision:
    """Whether the evaluation's winner becomes champion.

    Args:
        comparison: Candidate (first) against the present champion (second) on the same test rows; None without one.
        champion: Version that is champion now; None when there is none.
        rule: `better`: the paired interval lies above 0. `not-worse`: it lies above −min_effect.
        min_effect: Smallest accuracy difference that matters, 0 to 1.

    Raises:
        ValueError: There is a champion but no comparison, or the other way round.
    """
    if (champion is None) != (comparison is None):
        raise ValueError(f"champion {champion} and comparison {comparison} must both be given, or neither")
    if comparison is None:
        return Decision(yes=True, reason="first version: there is no champion to beat")
    gap = comparison.difference
    bar = 0.0 if rule == "better" else -min_effect
    shown = (
        f"{gap.value * 100:+.1f} points against champion v{champion} "
        f"({gap.low * 100:+.1f} to {gap.high * 100:+.1f}) on {gap.rows:,} test rows, "
        f"McNemar p = {comparison.mcnemar_p:.2g}"
    )
    if gap.low > bar:
        return Decision(yes=True, reason=f"{'better' if rule == 'better' else 'not worse'}: {shown}")
    wanted = "above 0" if rule == "better" else f"above {bar * 100:+.1f} points"
    return Decision(yes=False, reason=f"not promoted: {shown}; the rule `{rule}` wants the low end {wanted}")
