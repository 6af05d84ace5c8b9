"""The gate before champion: pure, and with its reason."""

from __future__ import annotations

from typing import Literal

from tailtune.core.records import Decision
from tailtune.core.reports import CandidateResult, Paired
from tailtune.judge.constraints import above, no_better
from tailtune.judge.stats import SIGNIFICANT


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
        rule: `better`: the paired interval lies above 0 and the paired test's p is below 0.05. `not-worse`: the
            interval lies above −min_effect.
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
        f"p = {comparison.p:.2g}"
    )
    sure = rule == "not-worse" or comparison.p < SIGNIFICANT
    if gap.low > bar and sure:
        return Decision(yes=True, reason=f"{'better' if rule == 'better' else 'not worse'}: {shown}")
    needed = f"above 0 and p < {SIGNIFICANT:g}" if rule == "better" else f"above {bar * 100:+.1f} points"
    return Decision(yes=False, reason=f"not promoted: {shown}; the rule `{rule}` wants the low end {needed}")


def not_above(winner: CandidateResult, line: CandidateResult | None) -> Decision | None:
    """The refusal when the winner answers no better than what ignores the text: nobody should be served by it.

    Args:
        winner: Of the evaluation, on test.
        line: The best of what ignores the text, on the same rows; None when none was measured.

    Returns:
        None when the winner is above the line.
    """
    if line is None or above(winner, line):
        return None
    return Decision(
        yes=False,
        reason=f"not promoted: {no_better(winner, line)}; to promote it by hand, move the alias `champion` to it in "
        "MLflow (make ui)",
    )


def not_answered(champion: str, why: str, use_case: str) -> Decision:
    """The refusal when a prompted model that must be compared could not answer: endpoint, weights or money are gone.

    Args:
        champion: Version that is champion.
        why: Which model could not answer, and its error; one sentence without full stop.
        use_case: Whose version it is.

    Returns:
        Never yes: a version that was not compared does not become champion by itself.
    """
    return Decision(
        yes=False,
        reason=f"not promoted: it could not be compared with champion v{champion}: {why}; put the endpoint or the "
        f"weights back, or raise prompt.max_cost_usd, then run `tailtune register {use_case}` again; or, to promote "
        "this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )


def not_asked(champion: str, why: str, remedy: str) -> Decision:
    """The refusal when the champion's files name an address or a key that is not declared on this side.

    Args:
        champion: Version that is champion.
        why: Where it would have sent the texts; one sentence without full stop.
        remedy: What to do if the address is trusted.

    Returns:
        Never yes: a version that was not compared does not become champion by itself.
    """
    return Decision(
        yes=False,
        reason=f"not promoted: champion v{champion} was not asked, so nothing could be compared: {why}; {remedy}; or, "
        "to promote this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )


def not_comparable(champion: str, then: str | None, now: str) -> Decision | None:
    """Whether the champion may have been trained on rows that are test rows now; then nothing is promoted.

    Args:
        champion: Version that is champion.
        then: Digest of how its rows were split; None when it was not recorded.
        now: The same of the candidate.

    Returns:
        A refusal, or None when both split alike: no row that the champion learned from can be a test row.
    """
    if then == now:
        return None
    why = "how its rows were split was not recorded" if then is None else "its rows were split differently"
    return Decision(
        yes=False,
        reason=f"not promoted: champion v{champion} cannot be compared, {why}, so it may have learned from today's "
        f"test rows; to promote this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )
